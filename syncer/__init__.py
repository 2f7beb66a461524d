"""rclone for annotations: bulk export and sync of finished labels into archives and object storage."""

__version__ = "0.1.0"

"""Platforms that labels are read from: one file each, or one folder with the same sections as files.

`app` finds them by their entry points (`syncer.sources`) and hands them an open `Http`; each offers one `PLUGIN`.
Never: writes to a platform, imports another source, keeps anything between calls that a restart would miss.
"""

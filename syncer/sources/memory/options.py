"""What a user can set for a platform in memory."""

from typing import Literal

from pydantic import Field

from syncer.net.options import PlatformOptions

#: How a source learns of deletions: the platform reports them, or they only show as absence from a full pass.
Deletions = Literal["reported", "silent"]


class MemoryOptions(PlatformOptions):
    """Options of a platform of type `memory`; it lives in this process, and only there."""

    url: str = Field(default="http://localhost", description="Never opened.")
    platform: str = Field(default="memory", description="Name of the platform in this process (`platform_named`).")
    items: int = Field(default=0, ge=0, le=1_000_000, description="Items that it begins with.")
    page_size: int = Field(default=10, ge=1, description="Units of one page.")
    inline: bool = Field(default=False, description="Listings carry the documents.")
    deletions: Deletions = Field(default="silent", description="Whether the platform reports deletions itself.")

"""What a user can set for a Datature Nexus workspace."""

import hashlib
import json
from collections.abc import Mapping

from pydantic import Field

from syncer.net.options import PlatformOptions, SecretField

#: Where the vendor's own client goes.
DEFAULT_URL = "https://api.datature.io"


class NexusOptions(PlatformOptions):
    """Options of a platform of type `nexus`."""

    url: str = Field(default=DEFAULT_URL, description="Address of the API.")
    token: SecretField = Field(description="Secret key of the workspace.")
    statuses: list[str] = Field(
        default=["Completed"], min_length=1, description="Statuses of an asset that make its annotations finished."
    )
    any_annotated: bool = Field(
        default=False, description="Every annotated asset counts as finished, for teams that do not review."
    )
    attributes: bool = Field(default=True, description="Ask for the attributes of annotations, too.")
    page_size: int = Field(default=1000, ge=1, le=1000, description="Rows of a page that are asked for.")
    together: int = Field(default=100, ge=1, le=200, description="Assets whose annotations are asked for at once.")
    read_ahead: int = Field(default=16, ge=1, le=64, description="Such requests that are sent side by side.")

    def shape(self) -> Mapping[str, str]:
        """Return what decides on the bytes of a document."""
        return {"attributes": str(self.attributes).lower()}

    def digest(self) -> str:
        """Return a short name of what decides which documents there are; a cursor of another one is not followed."""
        chosen = ["*"] if self.any_annotated else sorted(self.statuses)
        return hashlib.sha256(json.dumps([self.attributes, chosen]).encode()).hexdigest()[:12]

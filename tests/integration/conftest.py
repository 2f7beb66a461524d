"""What integration tests share: one real Label Studio for the session, started by the first test that asks for it."""

from tests.support.labelstudio import label_studio as label_studio  # noqa: PLC0414  # a fixture, found here by its name

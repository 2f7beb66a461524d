"""How a bucket is reached: endpoints, credentials by each cloud's own chain, and what is refused in words."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from obstore.store import AzureStore, GCSStore, S3Store

from syncer.blobs import clouds
from syncer.blobs.access import BucketAccess
from syncer.blobs.clouds import open_store
from syncer.blobs.places import Place, endpoint_of, place_of
from syncer.model.errors import Exit, SettingsError, StoreFailed
from syncer.model.secret import Secret

S3, GS, AZ = place_of("s3", "//bucket/p"), place_of("gs", "//bucket"), place_of("az", "//container/p/q")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty home folder, on a machine without a role."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(clouds.socket, "create_connection", _nobody)
    return tmp_path


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://minio.example.com", True), ("http://127.0.0.1:9000", True), ("http://localhost:9000/", True),
        ("http://[::1]:9000", True), ("http://minio.example.com", False), ("ftp://minio", False),
        ("https://key:secret@minio.example.com", False), ("https://", False),
    ],
)  # fmt: skip
def test_plain_http_is_for_this_machine(url: str, allowed: bool) -> None:
    """Plain http is accepted for loopback, elsewhere only where it is asked for; no URL carries a credential."""
    access = BucketAccess(endpoint=url)
    if allowed:
        assert endpoint_of(S3, access) == url.rstrip("/")
        return
    with pytest.raises(SettingsError) as caught:
        endpoint_of(S3, access)
    assert caught.value.hint
    assert "secret@" not in str(caught.value)


def test_plain_http_can_be_allowed() -> None:
    """Whoever runs a server in a private network says so."""
    assert endpoint_of(S3, BucketAccess(endpoint="http://minio:9000", allow_http=True)) == "http://minio:9000"


def test_endpoints_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables of the vendors' tools count where the sink says nothing, and obey the same rule."""
    assert endpoint_of(S3, BucketAccess()) is None
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://minio.example.com")
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "localhost:4443")
    assert endpoint_of(S3, BucketAccess()) == "https://minio.example.com"
    assert endpoint_of(S3, BucketAccess(endpoint="https://mine")) == "https://mine"
    assert endpoint_of(GS, BucketAccess()) == "http://localhost:4443"
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://minio.example.com")
    with pytest.raises(SettingsError, match="plain http"):
        endpoint_of(S3, BucketAccess())


def test_options_reach_the_client(home: Path) -> None:
    """Region, encryption and key of the sink are the client's; the prefix is its root."""
    del home
    access = BucketAccess(
        region="eu-north-1", encryption="aws:kms", kms_key="alias/mine", access_key=Secret.literal("id"),
        secret_key=Secret.literal("secret"), session_token=Secret.literal("token"),
    )  # fmt: skip
    store = open_store(S3, access)
    assert isinstance(store, S3Store)
    assert (store.prefix, store.config["region"]) == ("p", "eu-north-1")
    assert store.credential_provider is not None
    found = store.credential_provider()
    assert isinstance(found, dict)
    assert [found.get(name) for name in ("access_key_id", "secret_access_key", "token")] == ["id", "secret", "token"]


def test_replaced_keys_are_read_again(home: Path) -> None:
    """Keys in a file that is replaced while we run are the new ones when they are asked for next."""
    del home
    key = ["old"]
    access = BucketAccess(region="x", access_key=Secret.literal("id"), secret_key=Secret(lambda: key[0], "file:key"))
    store = open_store(S3, access)
    assert store.credential_provider is not None
    key[0] = "new"
    found = store.credential_provider()
    assert isinstance(found, dict)
    assert found["secret_access_key"] == "new"


def test_no_files_no_profile(home: Path) -> None:
    """Where AWS has left no files the client's own chain is used."""
    del home
    assert clouds._profile(BucketAccess()) is None
    assert clouds._profile(BucketAccess(profile="mine")) == "mine"


def test_the_chain_of_aws(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys in the environment come before a profile, a named profile before the default one."""
    (home / ".aws").mkdir()
    (home / ".aws/credentials").write_text(
        "[default]\naws_access_key_id=d\naws_secret_access_key=ds\n[work]\naws_access_key_id=w\naws_secret_access_key=ws\n"
    )
    (home / ".aws/config").write_text("[profile work]\nregion=eu-west-3\n")
    assert clouds._profile(BucketAccess()) == "default"
    monkeypatch.setenv("AWS_PROFILE", "work")
    assert clouds._profile(BucketAccess()) == "work"
    store = open_store(S3, BucketAccess())
    assert isinstance(store, S3Store)
    assert store.credential_provider is not None
    found = store.credential_provider()
    assert isinstance(found, dict)
    assert (found["access_key_id"], store.config["region"]) == ("w", "eu-west-3")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "e")
    assert clouds._profile(BucketAccess()) is None


def test_an_unknown_profile_is_told(home: Path) -> None:
    """A profile that is not there is a mistake of the settings, said without a traceback."""
    del home
    with pytest.raises(SettingsError, match="'nobody'"):
        open_store(S3, BucketAccess(profile="nobody"))


def test_what_has_to_be_installed_for_a_profile(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without boto3 a profile can't be read; the message says what to install."""
    del home

    def absent(name: str) -> object:
        raise ImportError(name)

    monkeypatch.setattr(clouds.importlib, "import_module", absent)
    with pytest.raises(SettingsError) as caught:
        open_store(S3, BucketAccess(profile="mine"))
    assert "annotation-syncer[aws]" in (caught.value.hint or "")


def test_google_credentials(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service account file is read by the client; one that can't be read, or needs a package, is told."""
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    key = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    account = home / "account.json"
    account.write_text(
        json.dumps({"type": "service_account", "private_key": key, "private_key_id": "1", "client_email": "a@b"})
    )  # fmt: skip
    assert isinstance(open_store(GS, BucketAccess(credentials_file=account)), GCSStore)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(account))
    assert isinstance(open_store(GS, BucketAccess()), GCSStore)
    with pytest.raises(SettingsError, match="can't be read"):
        open_store(GS, BucketAccess(credentials_file=home / "nothing.json"))
    account.write_text(json.dumps({"type": "external_account"}))
    monkeypatch.setattr(clouds.importlib, "import_module", _absent)
    with pytest.raises(SettingsError, match="external_account"):
        open_store(GS, BucketAccess())


def _absent(name: str) -> object:
    raise ImportError(name)


def test_azure_accounts(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Account and key come from the sink or the environment; without either the message names what is missing."""
    del home
    monkeypatch.setattr(clouds.shutil, "which", lambda _: None)
    store = open_store(AZ, BucketAccess(account="mine", secret_key=Secret.literal("a2V5")))
    assert isinstance(store, AzureStore)
    assert store.prefix == "p/q"
    with pytest.raises(SettingsError, match="can't be opened"):
        open_store(AZ, BucketAccess(secret_key=Secret.literal("a2V5")))
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "theirs")
    monkeypatch.setenv("AZURE_CLIENT_ID", "workload")
    assert isinstance(open_store(AZ, BucketAccess()), AzureStore)
    monkeypatch.delenv("AZURE_CLIENT_ID")
    monkeypatch.setattr(clouds.shutil, "which", lambda _: "/usr/bin/az")
    logged_in = open_store(AZ, BucketAccess())
    assert isinstance(logged_in, AzureStore)
    assert str(logged_in.config.get("use_azure_cli", logged_in.config.get("azure_use_azure_cli"))).lower() == "true"


@pytest.mark.parametrize("place", [S3, GS, AZ])
def test_no_credentials_at_all(place: Place, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without keys, files and a role it is said at once, with 77, where keys are looked for."""
    del home
    monkeypatch.setattr(clouds.shutil, "which", lambda _: None)
    with pytest.raises(StoreFailed, match="no credentials were found") as caught:
        open_store(place, BucketAccess(account="mine", region="eu-north-1"))
    assert (caught.value.exit_code, bool(caught.value.hint)) == (Exit.PERMISSION, True)


def _nobody(*_: object, **__: object) -> object:
    raise TimeoutError


def test_a_file_of_authorities_that_is_not_there(home: Path) -> None:
    """Whom to trust is known before anything is sent."""
    with pytest.raises(SettingsError, match=r"ca\.pem"):
        open_store(S3, BucketAccess(ca_file=home / "ca.pem", region="x"))

"""The key goes to one server and nowhere else: not on a screen, not into a traceback, not after a redirect."""

from __future__ import annotations

import copy
import pickle
import ssl
import traceback
from pathlib import Path

import pytest

from tests.lambda_cloud.cloud import BEFORE, KEY, QUICK, TOKEN, Cloud, Fault
from tests.lambda_cloud.renting import ORDER, Renting
from tests.lambda_cloud.server import served
from tunetui.core.errors import InputError, TunetuiError
from tunetui.hosts.lambda_cloud.key import FILE, VARIABLE, ApiKey, load_key
from tunetui.hosts.lambda_cloud.wire import NotSentError, Wire, _connection, server_of

SECRETS = (KEY, KEY.partition(".")[0], TOKEN)


def written(folder: Path, text: str = KEY + "\n", mode: int = 0o600) -> Path:
    path = folder / FILE
    path.write_text(text)
    path.chmod(mode)
    return folder


def test_the_key_comes_from_the_environment_or_else_from_a_private_file(tmp_path: Path) -> None:
    written(tmp_path, "secret_other_ffffffff")
    assert load_key(tmp_path, {VARIABLE: f" {KEY}\n"}).header() == f"Bearer {KEY}"
    assert load_key(tmp_path, {VARIABLE: ""}).header() == "Bearer secret_other_ffffffff"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o666])
def test_a_key_file_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(InputError, match=f"can be read by others .mode {mode:04o}.") as caught:
        load_key(written(tmp_path, mode=mode), {})
    assert "chmod 600" in caught.value.hint
    assert KEY not in str(caught.value)


def test_without_a_key_it_is_said_where_one_belongs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no key to Lambda Cloud") as caught:
        load_key(tmp_path, {})
    assert str(tmp_path / FILE) in caught.value.hint


@pytest.mark.parametrize(
    "text", ["", "two words", "a\r\nHost: elsewhere", "short", "secret_\x1b[31m_secret", "s" * 600]
)
def test_what_is_no_key_is_refused_without_being_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="holds no key") as caught:
        load_key(written(tmp_path, text), {})
    assert not text or text not in str(caught.value)


def test_a_folder_or_a_pipe_is_no_key_file(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(InputError, match="is no file"):
        load_key(tmp_path, {})


def test_a_key_does_not_show_itself() -> None:
    key = ApiKey(KEY)
    shown = f"{key} {key!r} {key!s} {[key]} {Wire(server_of('https://cloud.lambda.ai'), key).__dict__} {key.mark}"
    assert all(secret not in shown for secret in SECRETS)
    for write in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError):
            write(key)


@pytest.mark.parametrize("fault", [*BEFORE, *QUICK])
async def test_no_error_shows_the_key_even_with_every_variable_beside_it(renting: Renting, fault: Fault) -> None:
    renting.cloud.faults += [("POST", fault)] + [("GET", fault)] * 40
    try:
        entry = await renting.account().launch(ORDER)
        await renting.account().terminate(entry.name)
    except TunetuiError as error:
        shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
        shown += f"{error!r} {error.message} {error.hint} {vars(error)}"
        assert all(secret not in shown for secret in SECRETS)
    assert all(secret not in renting.ledger.path.read_text() for secret in SECRETS)


async def test_nothing_that_lambda_sends_along_in_secret_is_kept(renting: Renting) -> None:
    await renting.account().launch(ORDER)
    found = await renting.account().survey()
    assert TOKEN not in repr(found) + renting.ledger.path.read_text()


async def test_a_redirect_is_not_followed(renting: Renting) -> None:
    elsewhere = Cloud(renting.clock.now)
    with served(elsewhere) as url:
        renting.cloud.faults += [("GET", "redirect")] * 5
        handle = renting.cloud.handle

        def leads_away(*request: object) -> object:
            reply = handle(*request)  # type: ignore[arg-type]
            reply.headers = {"Location": f"{url}/api/v1/instances"}
            return reply

        renting.cloud.handle = leads_away  # type: ignore[method-assign,assignment]
        with pytest.raises(TunetuiError, match=r"points to 127\.0\.0\.1, where the key is not sent"):
            await renting.api().instances()
    assert elsewhere.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "http://cloud.lambda.ai", "http://10.0.0.1:80", "ftp://127.0.0.1", "https://", "//cloud.lambda.ai", "", "http://127.0.0.1@evil.example",
        "https://user:word@cloud.lambda.ai", "http://[::1", "https://cloud.lambda.ai:99999",
    ],
)  # fmt: skip
def test_a_key_is_sent_by_https_or_not_beyond_this_machine(url: str) -> None:
    with pytest.raises(InputError):
        server_of(url)


def test_the_servers_certificate_is_checked_by_name() -> None:
    connection = _connection(server_of("https://cloud.lambda.ai"))
    context = connection._context  # type: ignore[attr-defined]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


async def test_a_server_without_tls_never_hears_the_key(renting: Renting) -> None:
    wire = Wire(server_of(renting.url.replace("http:", "https:")), ApiKey(KEY))
    with pytest.raises(NotSentError):
        await wire.send("GET", "/api/v1/instances")
    assert renting.cloud.requests == []


def test_a_proxy_sees_a_tunnel_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "")
    connection = _connection(server_of("https://cloud.lambda.ai"))
    assert (connection.host, connection.port) == ("proxy.example", 3128)
    assert connection._tunnel_host == "cloud.lambda.ai"  # type: ignore[attr-defined]

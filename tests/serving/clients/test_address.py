"""Addresses of model servers: what is one, what is told about one that is not, and that no password is shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnapps.serving import ServerError, connect
from rnnapps.serving.clients.address import parse_address, without_password
from rnnapps.terminal import printable

VALID = {
    "grpc://localhost:8500": ("localhost", 8500, ""),
    "grpcs://host": ("host", None, ""),
    "grpcs://host:443/": ("host", 443, ""),
    "http://127.0.0.1:8501": ("127.0.0.1", 8501, ""),
    "HTTP://Host.Example:8501/": ("host.example", 8501, ""),
    "https://host/proxy/": ("host", None, "/proxy"),
    "http://host:1/a/b": ("host", 1, "/a/b"),
    "http://[::1]:8501": ("::1", 8501, ""),
    "https://[2001:db8::1]": ("2001:db8::1", None, ""),
    "http://my_service.local.:65535": ("my_service.local.", 65535, ""),
    "http://größe.example:80": ("größe.example", 80, ""),
    "http://host:80/größe": ("host", 80, "/gr%C3%B6%C3%9Fe"),
    "grpc://unix:8500": ("unix", 8500, ""),
}


@pytest.mark.parametrize(("url", "parts"), VALID.items(), ids=VALID.keys())
def test_an_address_is_read_into_its_parts(url, parts):
    address = parse_address(url)
    assert (address.host, address.port, address.path) == parts
    assert parse_address(str(address)) == address
    connect(url, "echo").close()


def test_user_and_password_are_kept_apart():
    address = parse_address("https://me%40home:p%2Fw%3A%40@host:8443/proxy")
    assert (address.user, address.password, address.host, address.path) == ("me@home", "p/w:@", "host", "/proxy")
    assert str(address) == "https://host:8443/proxy" and "p/w" not in repr(address)
    assert parse_address("http://token@host:1").user == "token"


MALFORMED = [
    "", " ", "localhost", "localhost:8500", "127.0.0.1:8501", "//localhost:8500", "http:/localhost:1", "http:host:1",
    "http://", "http://:8501", "http:///v1", "ftp://host:1", "unix:///socket", "file:///etc/passwd", "grpc+tls://host:1",
    "http://host:port", "http://host:-1", "http://host:0", "http://host:65536", "http://host:99999999999999999999",
    "http://host:+80", "http://host: 80", "http://host:8 0", "http://host:80:90", "http://host:٨٠", "http://host:0x50",
    "http://host:8501.5", "http://host:1e3", "http://::1:8501", "http://[::1", "http://::1]:80", "http://[::1]x:80",
    "http://[host]:80", "http://[::g]:80", "http://[1.2.3.4]:80", "http://[]:80", "http://ho st:80", " http://host:80",
    "http://host:80 ", "http://host:80\n", "http://host\t:80", "http://ho\x00st:80", "http://ho\x1b[31mst:80",
    "http://host\\evil:80", "http://ho\u202est:80", "http://ho\udcffst:80", "http://.host:80", "http://a..b:80",
    f"http://{'a' * 64}:80", "http://-host:80", "http://ho*st:80", "http://ho%st:80", "http://host;80", "http://host,other:80",
    "http://\u2100.com:80", "grpc://ho<st>:80", "http://user:secret", "user:secret@host:80",
    "http:/user:secret@host:80", "http://user:secret@", "http://user:secret@host:port", "http://user:se/cret@host:80",
    "http://user:se?cret@host:80", "http://user:se#cret@host:80", "http://user:se cret@host:80",
    "http://user:secret@[::1", "http://user:[secret]@host:80", "ftp://user:secret@host:21", "user:secret@http://host:1",
]  # fmt: skip


@pytest.mark.parametrize("url", MALFORMED, ids=ascii)
def test_a_malformed_address_is_one_line_without_its_password(url):
    with pytest.raises(ServerError) as caught:
        connect(url, "echo")
    message = str(caught.value)
    assert message.startswith("--server ") and message.isprintable() and len(message) < 400
    assert "not an address such as grpc://localhost:8500 or http://localhost:8501" in message
    assert "secret:" not in message and "cret" not in message.replace("secret:…", "")


ODD = {
    "http://localhost": "no port; TensorFlow Serving's is http://localhost:8501",
    "grpc://[::1]:": "no port; TensorFlow Serving's is grpc://[::1]:8500",
    "http://host/proxy": "no port; TensorFlow Serving's is http://host/proxy:8501",
    "http://host:1/v1/models/sentiment": "give the address only, http://host:1, and the model's name with --model",
    "http://host:1/proxy/v1/models/a:predict": "give the address only, http://host:1/proxy, and",
    "grpc://host:1/sentiment": "give the address only, grpc://host:1, and",
    "http://me:secret@host:1/v1/models/a": "give the address only, http://host:1, and",
    "http://host:1?key=secret": "give the address only, http://host:1, and",
    "http://host:1#secret": "give the address only, http://host:1, and",
    "grpc://me:secret@host:1": "gRPC takes no user and password; leave them out",
    "http://me:80/secret@host:1": "write /, ?, # and @ in a password as %2F, %3F, %23 and %40",
    "http://me:80?secret@host:1": "write /, ?, # and @ in a password as %2F, %3F, %23 and %40",
    "http://me:80#secret@host:1": "write /, ?, # and @ in a password as %2F, %3F, %23 and %40",
    "http://me@host:1/secret@other": "write /, ?, # and @ in a password as %2F, %3F, %23 and %40",
}


@pytest.mark.parametrize(("url", "remedy"), ODD.items(), ids=ODD.keys())
def test_an_address_with_too_little_or_too_much_is_told_what_to_change(url, remedy):
    with pytest.raises(ServerError) as caught:
        connect(url, "echo")
    assert remedy in str(caught.value) and "secret" not in str(caught.value)


ANY = st.text(st.characters(codec=None, exclude_categories=()) | st.sampled_from("@:/?#[]%\\ ."))


@given(st.sampled_from(["http://", "grpc://", "https://", "", "ftp://"]), ANY)
def test_any_text_is_an_address_or_one_line(scheme, text):
    try:
        address = parse_address(scheme + text)
    except ServerError as error:
        assert printable(str(error)) == str(error)
    else:
        assert parse_address(str(address)).netloc == address.netloc


@given(st.text(st.characters(codec="utf-8"), min_size=1), st.sampled_from(["http://me:", "me:", "grpc://", "http:me:"]))
def test_what_stands_before_the_last_at_sign_is_never_shown(password, start):
    secret = f"<{password}>"
    for rest in ("@host:80", "@host:port", "@", "@[::1", "@host:80/path?query"):
        url = f"{start}{secret}{rest}"
        assert secret not in without_password(url)
        try:
            connect(url, "echo").close()
        except ServerError as error:
            assert secret not in str(error)


@pytest.mark.parametrize("model", ["", "\x1b[2J", "a\nb", "\udcff"])
def test_a_model_without_a_proper_name_is_one_line(model):
    with pytest.raises(ServerError, match="--model must be a name that the server knows, got ") as caught:
        connect("http://localhost:1", model)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("version", [-1, 2**63])
def test_a_version_that_no_server_has_is_one_line(version):
    with pytest.raises(ServerError, match=f"--model-version must be from 0 to {2**63 - 1}, got {version}"):
        connect("http://localhost:1", "echo", version=version)


@pytest.mark.parametrize(
    ("url", "fix"),
    [
        ("http://localhost", "no port; TensorFlow Serving's is http://localhost:8501"),
        ("grpc://[::1]:", r"no port; TensorFlow Serving's is grpc://\[::1\]:8500"),
        (
            "http://host:1/v1/models/sentiment",
            "give the address only, http://host:1, and the model's name with --model",
        ),
        ("http://host:1/proxy/v1/models/a:predict", "give the address only, http://host:1/proxy, and"),
        ("grpc://host:1/sentiment", "give the address only, grpc://host:1, and"),
    ],
)
def test_an_address_with_too_little_or_too_much_says_how_to_fix_it(url, fix):
    with pytest.raises(ServerError, match=fix):
        connect(url, "echo")


def test_a_proxy_may_have_a_path_and_need_no_port():
    for url in ("https://host", "http://host:1/", "http://host:1/proxy", "grpc://localhost:1/"):
        connect(url, "echo").close()


@pytest.mark.parametrize("url", ["localhost:8500", "ftp://host:1", "http://", "grpc://host:port", "http://[::1", ""])
def test_an_address_that_is_none_is_named(url):
    with pytest.raises(ServerError, match="not an address such as grpc://localhost:8500"):
        connect(url, "echo")

"""Our reader of ssh_config against OpenSSH's own: what `ssh -G` says is what we have to say.

Left out on purpose, since we differ on purpose: `Match exec`, which we never run; keywords that
ssh does not know, which are its fatal errors and no business of ours; the second pass's DNS.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from ssh_oracle import REFUSED, Question, answer_of_ours, answer_of_ssh, require_ssh

QUESTIONS = (Question(name="web1"), Question(name="Foo", user="ann", port=77))

CASES = {
    "HostName with its token": "Host web1\n HostName %h.Ex.com\n",
    "HostName with a percent sign": "HostName 100%%h",
    "HostName with a wrong token": "HostName %d",
    "HostName takes no variables": "HostName ${HOME}",
    "the first value wins": "Host web*\n Port 1\nHost *\n Port 2\n User bob",
    "identity files add up, each once": "IdentityFile a\nHost *\nIdentityFile b\nIdentityFile a",
    "no identity file": "IdentityFile none",
    "certificates add up": "CertificateFile c-%r\nCertificateFile d",
    "tokens and variables in known_hosts": "UserKnownHostsFile ~/x%h %d/%n-%p-%r-%u ${HOME}/k",
    "more tokens": "UserKnownHostsFile %C %L %l %i %k %%",
    "the alias's token": "HostKeyAlias other\nUserKnownHostsFile /x/%k",
    "tokens after a HostName": "HostName Real\nUser bob\nUserKnownHostsFile %h-%n-%r",
    "a variable that there is not": "UserKnownHostsFile ${NO_SUCH_VARIABLE_HERE}/x",
    "a token that there is not": "UserKnownHostsFile %z",
    "no known_hosts at all": "UserKnownHostsFile none\nGlobalKnownHostsFile none",
    "none beside a file": "UserKnownHostsFile a none",
    "none in capitals": "UserKnownHostsFile NONE",
    "quoted files": "GlobalKnownHostsFile a b \"c d\" 'e f'",
    "negation comes first": "Host !Foo *\n Port 3",
    "negation comes last": "Host * !Foo\n Port 3",
    "only a negation": "Host !web1\n Port 3",
    "commas separate no host patterns": "Host web1,Foo\n Port 3",
    "quoted patterns": "Host \"web1\" 'Foo'\n Port 3",
    "wildcards": "Host web? F*\n Port 3",
    "brackets mean nothing": "Host web[1]\n Port 3",
    "Host minds the case": "Host WEB1 foo\n Port 3",
    "Match host does not": "Match host WEB1,foo\n Port 3",
    "Match originalhost": "HostName x\nMatch originalhost web1\n Port 3",
    "Match host after a HostName": "HostName WEB.example\nMatch host web.example\n Port 3",
    "Match user sees the file's": "User bob\nMatch user bob\n Port 3",
    "Match user sees the later file's too": "Match user bob\n Port 3\nHost *\n User bob",
    "Match user before any": "Match user root,ann\n Port 3",
    "Match with a negation in the list": "Match host web*,!web1\n Port 3",
    "Match with a negated criterion": "Match !host web1\n Port 3",
    "Match of several criteria": "Match originalhost Foo user ann\n Port 3\n IdentityAgent none",
    "Match with equals signs": "Match host=web1 user=root\n Port 3",
    "Match all": "Host other\n User x\nMatch all # always\n Port 3",
    "Match not all": "Match !all\n Port 3",
    "Match all after another": "Match host web1 all\n Port 3",
    "Match all before another": "Match all host web1\n Port 3",
    "Match final": "Match final host foo.example\n Port 3\nHost Foo\n HostName foo.example",
    "Host in the second pass": "Host Foo\n HostName real\nHost real\n Port 3\nMatch final\n User x",
    "Match canonical without a second pass": "Match canonical all\n Port 3",
    "Match canonical with one": "Match canonical all\n Port 3\nMatch final all\n User x",
    "Match not final": "Match !final host web1\n Port 3",
    "Match without a criterion": "Match",
    "Match without a value": "Match host",
    "Match of something else": "Match colour red",
    "Host without a pattern": "Host",
    "tabs, and blanks at the end": "\t Port\t 3 \t\r\n User\tbob  ",
    "an equals sign": "Port=3\nUser = bob",
    "two equals signs": "Port = = 3",
    "a comment at the end": "User bob # not alice\n# Port 9\n   # Port 8",
    "a hash within a word": "User bob#1",
    "a hash in quotes": 'HostKeyAlias "x # y"',
    "quotes within a word": "User b'o'\"b\"",
    "an escaped blank": "User b\\ b",
    "an escaped quote": 'User b\\"b',
    "a quote left open": 'User "bob',
    "two values where one belongs": "Port 22 33",
    "an empty value": 'IdentityFile ""',
    "no value": "User",
    "port 0": "Port 0",
    "port 65536": "Port 65536",
    "a port's name": "Port ssh",
    "no port": "Port nothing",
    "an error where the host does not match": "Host other\n Port nothing",
    "times": "ServerAliveInterval 1m30\nConnectTimeout 2H",
    "no time": "ConnectTimeout soon",
    "the longest time": "ServerAliveInterval 2147483647",
    "a time that is too long": "ServerAliveInterval 2147483648",
    "a time that is far too long": f"ConnectTimeout {'9' * 5000}",
    "a sum of times that is too long": "ServerAliveInterval 3000w1000w",
    "many digits that are no time": f"ConnectTimeout {'1' * 60}x",
    "a negative time": "ConnectTimeout -1",
    "times of none": "ServerAliveInterval none\nConnectTimeout none",
    "a count": "ServerAliveCountMax 7",
    "a negative count": "ServerAliveCountMax -7",
    "a switch in capitals": "IdentitiesOnly YES",
    "a switch that is none": "IdentitiesOnly maybe",
    "StrictHostKeyChecking off": "StrictHostKeyChecking off",
    "StrictHostKeyChecking accept-new": "StrictHostKeyChecking Accept-New",
    "StrictHostKeyChecking perhaps": "StrictHostKeyChecking perhaps",
    "an agent's variable": "IdentityAgent $SOME_AGENT",
    "ProxyJump": "ProxyJump ann@b1:2222,b2",
    "ProxyJump before ProxyCommand": "ProxyJump b\nProxyCommand nc %h %p",
    "ProxyCommand before ProxyJump": "ProxyCommand nc '%h' \"%p\" # all of it\nProxyJump b",
    "ProxyCommand=": "ProxyCommand=nc x",
    "ProxyJump none before ProxyCommand": "ProxyJump none\nProxyCommand nc x",
    "ProxyJump none before ProxyJump": "ProxyJump NONE\nProxyJump b",
    "ProxyCommand none before ProxyJump": "ProxyCommand none\nProxyJump b",
    "ProxyJump with an empty hop": "ProxyJump a,,b",
    "ProxyJump with a bad port": "ProxyJump a:b",
    "ProxyJump to an IPv6 address": "ProxyJump [::1]:22",
    "ProxyJump to a bare IPv6 address": "ProxyJump ::1",
    "ProxyJump as a URI": "ProxyJump ssh://ann@b:2222",
    "ProxyJump without a name": "ProxyJump ann@",
    "capitals": "HOST web1\n PORT 3",
}


@pytest.mark.parametrize("text", CASES.values(), ids=CASES)
def test_a_file_means_what_ssh_takes_it_for(text: str, tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(text)

    for question in QUESTIONS:
        assert answer_of_ours(file, question) == answer_of_ssh(file, question), question


INCLUDES = {
    "at the top": "Include {folder}/a\nPort 2",
    "in a block that fits": "Host web1\n Include {folder}/a\n Port 2",
    "in a block that does not": "Host other\n Include {folder}/a\nHost *\n Port 2",
    "the block goes on after it": "Host web1\n Include {folder}/b\n HostName after",
    "several, and a glob": "Include {folder}/a {folder}/[b-c]\nPort 2",
    "in the glob's order": "Include {folder}/*\nPort 2",
    "none there": "Include {folder}/nothing*\nPort 2",
    "quoted": 'Include "{folder}/a"',
    "in a Match": "Match user ann\n Include {folder}/b",
    "nested": "Include {folder}/deeper",
    "without a value": "Include",
}


@pytest.mark.parametrize("text", INCLUDES.values(), ids=INCLUDES)
def test_what_a_file_includes_stands_in_its_place(text: str, tmp_path: Path) -> None:
    folder = tmp_path / "some folder" if '"' in text else tmp_path / "folder"
    folder.mkdir()
    (folder / "a").write_text("Port 1\nUser of-a\n")
    (folder / "b").write_text("User of-b\nHost web*\n Port 7\nHost Foo\n HostKeyAlias of-b\n")
    (folder / "c").write_text("Match host web1\n IdentityFile c\n")
    (folder / "deeper").write_text(f"Host web1\n Include {folder}/c\n Port 9\n")
    file = tmp_path / "config"
    file.write_text(text.format(folder=folder))

    for question in QUESTIONS:
        assert answer_of_ours(file, question) == answer_of_ssh(file, question), question


def test_a_folder_among_what_a_glob_includes_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "more" / "folder").mkdir(parents=True)
    (tmp_path / "more" / "web").write_text("User of-web\n")
    file = tmp_path / "config"
    file.write_text(f"Include {tmp_path}/more/*\nPort 3\n")

    for question in QUESTIONS:
        ours = answer_of_ours(file, question)
        assert ours == answer_of_ssh(file, question), question
        assert ours != REFUSED


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o602])
def test_what_is_included_must_belong_to_its_user_alone(mode: int, tmp_path: Path) -> None:
    """Whoever may write to it could have us run a ProxyCommand."""
    included = tmp_path / "included"
    included.write_text("User bob\n")
    included.chmod(mode)
    file = tmp_path / "config"
    file.write_text(f"Include {included}\n")
    question = QUESTIONS[0]

    ours = answer_of_ours(file, question)

    assert ours == answer_of_ssh(file, question)
    assert (ours == REFUSED) is (mode == 0o602)


@pytest.mark.parametrize("deep", [15, 16, 17, 18])
def test_files_include_files_as_deep_as_ssh_allows(deep: int, tmp_path: Path) -> None:
    for level in range(deep):
        (tmp_path / f"{level}").write_text(f"Include {tmp_path}/{level + 1}\nIdentityFile {level}")
    (tmp_path / f"{deep}").write_text("Port 3")
    question = QUESTIONS[0]

    ours = answer_of_ours(tmp_path / "0", question)

    assert ours == answer_of_ssh(tmp_path / "0", question)
    assert (ours == REFUSED) is (deep > 16)


# --- generated files -----------------------------------------------------------------------------

NAMES = ("web1", "web2", "Foo", "db", "real.example", "WEB1")
USERS = ("ann", "bob", "root")

patterns = st.sampled_from(("*", "web*", "web?", "!web1", "!db", "F*", "*.example", *NAMES))
users = st.sampled_from((*USERS, "a*", "!bob"))
names = st.sampled_from(NAMES)
quotes = st.sampled_from(("{}", '"{}"', "'{}'"))
separators = st.sampled_from((" ", "=", " = ", "\t", "  "))


def comma_list(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(parts, min_size=1, max_size=3).map(",".join)


def words(*parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map(" ".join)


criteria = st.one_of(
    words(
        st.sampled_from(("host", "!host", "originalhost", "!originalhost")), comma_list(patterns)
    ),
    words(st.sampled_from(("user", "!user", "localuser")), comma_list(users)),
    st.sampled_from(("final", "!final", "canonical")),
)
heads = st.one_of(
    st.lists(patterns, min_size=1, max_size=3).map(lambda some: "Host " + " ".join(some)),
    st.lists(criteria, min_size=1, max_size=3).map(lambda some: "Match " + " ".join(some)),
    st.sampled_from(("Match all", "Match final all")),
)
values = {
    "HostName": st.sampled_from(("real.example", "%h.example", "10.0.0.1", "a%%b")),
    "User": st.sampled_from((*USERS, "o b", "x#y")),
    "Port": st.sampled_from(("22", "2222", "ssh")),
    "IdentityFile": st.sampled_from(("~/.ssh/a", "b%h", "${HOME}/c", "none", "a b")),
    "CertificateFile": st.sampled_from(("~/x-cert.pub", "y%r")),
    "IdentitiesOnly": st.sampled_from(("yes", "no", "true", "False")),
    "IdentityAgent": st.sampled_from(("none", "SSH_AUTH_SOCK", "~/agent")),
    "HostKeyAlias": st.sampled_from(("alias", "other")),
    "StrictHostKeyChecking": st.sampled_from(("yes", "no", "ask", "accept-new", "off")),
    "UserKnownHostsFile": st.sampled_from(("~/k", "%h/%n", "%d/%p %r", "none", "%C", "%k")),
    "GlobalKnownHostsFile": st.sampled_from(("/etc/k", "/a /b", "none")),
    "ServerAliveInterval": st.sampled_from(("0", "15", "1m", "none")),
    "ServerAliveCountMax": st.sampled_from(("1", "5")),
    "ConnectTimeout": st.sampled_from(("5", "1h", "none")),
    "ProxyJump": st.sampled_from(("b1", "ann@b1:2222,b2", "none", "[::1]:22")),
    "ProxyCommand": st.sampled_from(("nc %h %p", "none", "sh -c 'x # y'")),
}
UNQUOTED = {"ProxyJump", "ProxyCommand", "UserKnownHostsFile", "GlobalKnownHostsFile"}


@st.composite
def option(draw: st.DrawFn) -> str:
    keyword = draw(st.sampled_from(sorted(values)))
    value = draw(values[keyword])
    quoted = value if keyword in UNQUOTED else draw(quotes).format(value)
    spelt = draw(st.sampled_from((keyword, keyword.lower(), keyword.upper())))
    indent = draw(st.sampled_from(("", "  ", "\t")))
    # a command has no comments, and ssh takes `ProxyJump none # so` for a host that is called none
    comment = (
        "" if keyword in {"ProxyCommand", "ProxyJump"} else draw(st.sampled_from(("", "", " # so")))
    )
    return f"{indent}{spelt}{draw(separators)}{quoted}{comment}"


others = st.sampled_from(("", "# a comment", "   ", "ForwardAgent no", "SendEnv LANG LC_*"))
lines = st.lists(st.one_of(heads, option(), option(), option(), others), max_size=14)


@pytest.mark.long
@given(lines=lines, name=names, user=st.none() | st.sampled_from(USERS), cut=st.integers(0, 14))
@example(lines=["Host *", "User bob", "Match final", "Port 2222"], name="db", user=None, cut=1)
@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_generated_files_mean_what_ssh_takes_them_for(
    lines: list[str], name: str, user: str | None, cut: int, tmp_path: Path
) -> None:
    require_ssh()
    file, included = tmp_path / "config", tmp_path / "included"
    included.write_text("\n".join(lines[cut:]))
    file.write_text("\n".join([*lines[:cut], f"Include {included}", *lines[:2]]))
    question = Question(name=name, user=user)

    assert answer_of_ours(file, question) == answer_of_ssh(file, question)

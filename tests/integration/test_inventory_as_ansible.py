"""Inventories mean what they mean to Ansible: hosts, groups, variables, patterns."""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import dedent

import pytest
import yaml
from ansible_oracle import Oracle, environment
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleetrun.errors import InventoryError
from fleetrun.hosts import Secret
from fleetrun.inventory import Inventory


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oracle]:
    with Oracle(tmp_path_factory.mktemp("ansible")) as oracle:
        yield oracle


def assert_same(
    oracle: Oracle, sources: Sequence[str], patterns: Sequence[str] = (), *, ordered: bool = True
) -> Inventory:
    """Assert that the sources are the same inventory to Ansible as to us; return it.

    Where a group has grandchildren by several ways, Ansible's own order of their hosts changes
    from run to run; then `ordered` has to be false.
    """
    theirs = oracle.ask(list(sources), list(patterns))
    ours = Inventory.load(sources)
    assert set(ours.names) == set(theirs["hosts"])
    assert ours.groups.keys() == theirs["groups"].keys()
    for name, group in theirs["groups"].items():
        assert set(ours.groups[name]) == set(group["all"]), name
        assert set(ours.grouping.children[name]) == set(group["children"]), name
        assert set(ours.grouping.hosts[name]) == set(group["hosts"]), name
        if ordered:
            assert list(ours.grouping.counted(name)) == group["all"], name
    for name, variables in theirs["hosts"].items():
        values = {key: variable.value for key, variable in ours.variables(name).items()}
        assert same(values, variables), (name, values, variables)
    for pattern, names in theirs["patterns"].items():
        if is_settled(ours, pattern):
            assert selected(ours, pattern) == set(names), pattern
    return ours


def selected(inventory: Inventory, pattern: str) -> set[str]:
    try:
        return set(inventory.matching(pattern))
    except InventoryError as error:  # where Ansible selects nothing, we complain
        if re.search("leaves no host|is no host or group", str(error)):
            return set()
        raise


def is_settled(inventory: Inventory, pattern: str) -> bool:
    """Whether Ansible always answers the same, and no part names nothing, which is an error to us.

    Where several groups of one level have children, Ansible visits these in the order of a set.
    """
    for term in re.findall(r"[^,:&!\[]+(?:\[[^]]*\])?", pattern):
        base = term.partition("[")[0]
        try:
            inventory.matching(term)
        except InventoryError as error:
            if re.search("is no host or group|is not there", str(error)):
                return False
        level = [base] if base in inventory.groups else []
        while level:
            with_children = [name for name in level if inventory.grouping.children[name]]
            if len(with_children) > 1:
                return False
            level = [child for name in with_children for child in inventory.grouping.children[name]]
    return True


def same(ours: object, theirs: object) -> bool:
    """Whether the value, in which we keep the spelling, is the one that Ansible makes of it."""
    if isinstance(ours, Secret):
        ours = ours.reveal()
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        return ours.keys() == theirs.keys() and all(same(ours[it], theirs[it]) for it in theirs)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return ours == theirs or (isinstance(ours, str) and theirs in list(readings(ours)))


def readings(text: str) -> Iterator[object]:
    """Yield what YAML 1.1 and Python may take the text for; None for nothing."""
    yield yaml.safe_load(text)
    try:
        yield ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
        if text.startswith("#!"):
            path.chmod(0o755)


SCRIPT = f"""\
#!{sys.executable}
import json, sys
if sys.argv[1] == "--host":
    print(json.dumps({{"asked": sys.argv[2], "n": [1, None, True]}}))
else:
    print(json.dumps(%s))
"""

INVENTORIES: dict[str, tuple[dict[str, str], list[str]]] = {
    "groups in groups": (
        {
            "hosts.yaml": """\
                all:
                  vars: {site: all, rack: 022, flag: no, ratio: 1.10, text: "22"}
                  hosts: {alone: , both: {site: own}}
                  children:
                    prod:
                      vars: {site: prod, tier: 1}
                      children:
                        web: {hosts: {web1: , web2: {port: 80}}, vars: {site: web}}
                        db: {hosts: {db1: {tags: [a, {b: c}]}}}
                    berlin: {hosts: {web1: , both: }, vars: {site: berlin, zone: b}}
                """
        },
        ["hosts.yaml"],
    ),
    "groups at the top, and what may be left out": (
        {
            "hosts.yml": """\
                web:
                  hosts: web1
                empty:
                nothing: {hosts: , vars: , children: }
                ungrouped: {hosts: {u1: , web1: }, vars: {u: 1}}
                dashed-name: {children: web, hosts: {d1: null, d2: {}, d3: ~}}
                """
        },
        ["hosts.yml"],
    ),
    "anchors and merges": (
        {
            "hosts.yaml": """\
                all:
                  vars: &common {site: ams, list: &list [1, 2], deep: {a: {b: c}}}
                  children:
                    web: {hosts: &hosts {web1: {<<: *common, site: own}, web2: }}
                    more: {hosts: *hosts, vars: {again: *list}}
                """
        },
        ["hosts.yaml"],
    ),
    "ranges": (
        {
            "hosts.yaml": """\
                web: {hosts: {"web[01:12]": {a: 1}, "web[2:8:3].example.com": , "r[a:c]-[1:2]": }}
                ports: {hosts: {"p[1:2]:2222": , "10.0.0.[1:3]": , "2001:db8::[1:3]": }}
                """,
            "hosts.ini": """\
                w[:2]x
                [letters]
                l[x:z]:2022 a=1
                l[A:C]
                """,
        },
        ["hosts.yaml", "hosts.ini"],
    ),
    "INI": (
        {
            "hosts": """\
                # comment
                ; another
                first ansible_host=192.0.2.1 note="two words" # why
                second:2222 n=3 f=1.10 t=True lower=true none=None hex=0x10 zero=022
                third 'single=a b' list="[1, 'x', {'a': 2}]" dict='{"a": [1]}' odd=[not,a,list]

                [prod:children]
                web   # a child
                db
                [web:vars]
                site = ams
                quoted = "two words"
                commented = 3 # three
                text = three # words
                equals=a=b
                list = ['a', "b", 3]
                ports = 80, 443
                single = 80,
                switches = True, None # both
                addresses = 192.0.2.1, 192.0.2.2
                widths = 01, 02
                empty =
                ansible_group_priority = 7
                [web]
                web1
                web2 site=own
                [db:hosts]
                db1 escaped=a\\ b
                web1
                [all:vars]
                everywhere=yes
                """
        },
        ["hosts"],
    ),
    "who wins": (
        {
            "hosts.yaml": """\
                b: {vars: {site: b, of: b}, hosts: {h1: , h2: }}
                a: {vars: {ansible_group_priority: 2, site: a, of: a}, hosts: {h1: , h2: }}
                z: {vars: {site: z, deep: z}, hosts: {h2: , h3: }}
                short: {children: {m: , z: }}
                long: {children: {longer: {children: {m: {vars: {deep: m}, hosts: {h2: , h3: }}}}}}
                minus: {vars: {ansible_group_priority: -5, site: minus}, hosts: {h3: }}
                """
        },
        ["hosts.yaml"],
    ),
    "variables beside the inventory": (
        {
            "hosts.ini": "[web]\nweb1 own=inventory x=inventory\n[web:vars]\na=group\nb=group\n"
            "[all:vars]\na=all\n[top:children]\nweb\n[top:vars]\nc=top\n",
            "group_vars/all.yml": "a: all file\nd: all file\nc: all file\n",
            "group_vars/web": "b: web file\n",
            "group_vars/web.yml": "b: never read\n",
            "group_vars/top/10.yaml": "b: top ten\ne: ten\nf: ten\n",
            "group_vars/top/20.json": '{"f": "twenty"}',
            "group_vars/top/inner/x": "g: inner\n",
            "group_vars/top/inner.d/x": "h: never read\n",
            "group_vars/top/.hidden.yml": "h: never read\n",
            "group_vars/top/old.yml~": "h: never read\n",
            "group_vars/top/notes.txt": "h: never read\n",
            "group_vars/ungrouped.yml": "u: 1\n",
            "group_vars/elsewhere.yml": "u: 1\n",
            "host_vars/web1.yaml": "x: host file\n",
            "host_vars/web2.yml": "x: no such host\n",
        },
        ["hosts.ini"],
    ),
    "several sources, each with variables beside it": (
        {
            "one/hosts.yaml": "p: {children: {c: {hosts: {h1: {v: 1, w: 1}, h2: }}}}\n",
            "one/group_vars/c.yml": "who: c of one\nx: c of one\n",
            "one/host_vars/h1.yml": "y: one\nz: one\n",
            "two/hosts.ini": "h3\nh1 w=2\n[c]\nh3\n",
            "two/group_vars/p.yml": "who: p of two\n",
            "two/host_vars/h1.yml": "z: two\n",
            "group_vars/all.yml": "who: nobody, there is no source here\n",
        },
        ["one/hosts.yaml", "two", "inline1,inline2:2222,h3"],
    ),
    "a folder": (
        {
            "all/10.yaml": "web: {hosts: {web1: {a: 10, b: 10}}}\n",
            "all/20.ini": "[web]\nweb1 a=20\nweb2\n",
            "all/30": "db:\n  hosts: {db1: }\n",
            "all/sub/40": "[db]\ndb2\n[db:vars]\nx=1\n",
            "all/group_vars/web.yml": "g: 1\n",
            "all/sub/group_vars/db.yml": "g: never read, it is beside no source\n",
            "all/README.md": "never read",
            "all/old.bak": "[web]\nnever\n",
            "all/x.retry": "never\n",
            "all/y.cfg": "[never]\n",
            "all/.hidden": "never\n",
            "all/z~": "never\n",
        },
        ["all"],
    ),
    "a script": (
        {
            "script": SCRIPT
            % """{
                "web": {"hosts": ["web1", "web2"], "vars": {"site": "ams", "n": 1}},
                "db": ["db1"],
                "prod": {"children": ["web", "db", "later"], "vars": {"n": 2.5}},
                "later": {"hosts": ["l1"], "vars": {}},
                "_meta": {"hostvars": {"web1": {"a": None, "b": False, "c": {"d": [1]}},
                                       "nowhere": {"x": 1}}},
            }""",
            "group_vars/db.yml": "x: beside\n",
        },
        ["script"],
    ),
    "a script that is asked about each host": (
        {"script": SCRIPT % '{"web": {"hosts": ["web1", "web2"]}}'},
        ["script"],
    ),
    "JSON": (
        {"hosts.json": '{"all": {"hosts": {"h1": {"a": [1, "2"]}},\n\t"children": {"w": null}}}'},
        ["hosts.json"],
    ),
    "hosts on the spot": ({}, ["a,b:2222, c ,2001:db8::1,a"]),
}


@pytest.mark.parametrize(("files", "sources"), INVENTORIES.values(), ids=INVENTORIES)
def test_an_inventory_is_the_same_to_ansible(
    oracle: Oracle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: dict[str, str],
    sources: list[str],
) -> None:
    write(tmp_path, files)
    monkeypatch.chdir(tmp_path)
    assert_same(oracle, [it if "," in it else str(tmp_path / it) for it in sources])


PATTERNS = [
    "all",
    "*",
    "web",
    "web1",
    "web1,db1",
    "web:db",
    "web:&berlin",
    "&berlin:web",
    "prod:!web",
    "!web",
    "!web,&prod",
    "prod:&berlin:!web1",
    "web*",
    "*1",
    "w?b1",
    "web[a-z0-9]",
    "web[!2]",
    "w[12]b.example.com",
    "~web[12]",
    "~(web|db)1$",
    "~eb1",
    "web[0]",
    "web[-1]",
    "web[1:]",
    "web[0:1]",
    "web[2:5]",
    "web[0:0]",
    "prod[0]",
    "prod[-1]",
    "prod[1:2]",
    "prod[0:9]:!web[0]",
    "web[-1],db[0]",
    "web*[0]",
    "ungrouped",
    "ungrouped[0]",
    "both",
    "!both",
    "2001:db8::1",
    "2001:db8::1,web1",
    "same",
    "all:!same",
    "all,&same",
    "10.0.0.*",
    "empty",
    "all:!empty",
    "@list",
    "all,!both,@list",
]


def test_a_pattern_selects_what_it_selects_for_ansible(
    oracle: Oracle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(
        tmp_path,
        {
            "hosts.yaml": """\
                prod:
                  children:
                    web: {hosts: {web1: , web2: , web3: , weba: }}
                    db: {hosts: {db1: , db2: , web3: }}
                  hosts: {own1: , own2: }
                berlin: {hosts: {web1: , db2: , both: , same: }}
                empty:
                same: {hosts: {web2: , "10.0.0.1": , "2001:db8::1": }}
                more: {hosts: {w1b.example.com: , w2b.example.com: , w12b.example.com: }}
                all: {hosts: {alone: , both: }}
                """,
            "list": "web1\n db* \n\n!db1\n",
        },
    )
    monkeypatch.chdir(tmp_path)
    patterns = [it.replace("@list", f"@{tmp_path}/list") for it in PATTERNS]
    source = str(tmp_path / "hosts.yaml")
    ours = assert_same(oracle, [source])
    theirs = oracle.ask([source], patterns)["patterns"]
    assert {it: selected(ours, it) for it in patterns} == {it: set(theirs[it]) for it in patterns}


# --- 200 of them, made at random -----------------------------------------------------------------

NAMES = ["a", "b1", "c-d", "e.f", "g_2", "h10", "192.0.2.7"]
GROUPS = ["g1", "g2", "web", "a-b"]
KEYS = ["x", "y", "site", "ansible_note"]
VALUES = st.one_of(
    st.sampled_from(["text", "022", "1.10", "no", "2024-01-01", "0x1F", "'quoted'", "~", "22:22"]),
    st.integers(-5, 70_000).map(str),
    st.text("abc xyz=,:#[]'\"-", max_size=6).map(json.dumps),
)
YAML_VALUES = st.one_of(VALUES, st.just("[1, {a: b}, []]"), st.just("{k: {l: [m]}}"))
INI_VALUES = st.one_of(
    st.sampled_from(["text", "022", "1.10", "no", "True", "None", "[1, 'a']", "{'k': [1]}", "[a]"]),
    st.integers(-5, 70_000).map(str),
)
PARTS = ("all", *GROUPS)
TERMS = st.one_of(
    st.sampled_from([*NAMES, *GROUPS, "all", "*", "g*", "?", "~[a-e]", "ungrouped"]),
    st.builds("{}[{}]".format, st.sampled_from(PARTS), st.integers(-1, 1)),
    st.builds("{}[{}:{}]".format, st.sampled_from(PARTS), st.just(0), st.integers(0, 3)),
    st.builds("{}[1:]".format, st.sampled_from(PARTS)),
)
PATTERNS_OF_TERMS = st.builds(
    lambda terms, separator: separator.join(mark + term for mark, term in terms),
    st.lists(st.tuples(st.sampled_from(["", "", "&", "!"]), TERMS), min_size=1, max_size=3),
    st.sampled_from([",", ":"]),
)


def variables(values: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, str]]:
    return st.dictionaries(st.sampled_from(KEYS), values, max_size=2)


@st.composite
def yaml_inventories(draw: st.DrawFn) -> str:
    """Draw groups whose children come later in `GROUPS`, so that there are no circles."""
    lines = []
    for at, group in enumerate(PARTS):
        hosts = draw(st.dictionaries(st.sampled_from(NAMES), variables(YAML_VALUES), max_size=3))
        children = draw(st.sets(st.sampled_from(PARTS[at + 1 :] or (None,)), max_size=2)) - {None}
        own = draw(variables(YAML_VALUES))
        if draw(st.integers(0, 3)) == 0 and group != "all":
            own["ansible_group_priority"] = str(draw(st.integers(-1, 3)))
        if hosts or children or own or draw(st.booleans()):
            section = {
                "hosts": {name: flow(its) for name, its in hosts.items()},
                "children": dict.fromkeys(sorted(children), ""),
                "vars": own,
            }
            lines.append(f"{group}: {flow({key: flow(it) for key, it in section.items()})}\n")
    return "".join(lines) or "all:\n"


def flow(mapping: Mapping[str, str]) -> str:
    return "{" + ", ".join(f'"{key}": {value}' for key, value in mapping.items()) + "}"


@st.composite
def ini_inventories(draw: st.DrawFn) -> str:
    lines = []
    for at, group in enumerate(PARTS):
        hosts = draw(st.dictionaries(st.sampled_from(NAMES), variables(INI_VALUES), max_size=3))
        children = draw(st.sets(st.sampled_from(PARTS[at + 1 :] or (None,)), max_size=2)) - {None}
        own = draw(variables(INI_VALUES))
        lines += [f"[{group}]", *(f"{name} {words(its)}" for name, its in hosts.items())]
        lines += [f"[{group}:children]", *sorted(children)] if children else []
        lines += [f"[{group}:vars]", *(f"{key} = {value}" for key, value in own.items())]
    return "".join(f"{line}\n" for line in lines)


def words(mapping: Mapping[str, str]) -> str:
    return " ".join(shlex.quote(f"{key}={value}") for key, value in mapping.items())


def vars_folder(names: Sequence[str]) -> st.SearchStrategy[dict[str, str]]:
    endings = st.sampled_from(["", ".yml", ".yaml", ".json", "/main.yml"])
    files = st.builds(str.__add__, st.sampled_from(names), endings)
    return st.dictionaries(files, variables(YAML_VALUES).map(flow), max_size=2).filter(
        lambda found: len({name.partition("/")[0] for name in found}) == len(found)
    )


@pytest.mark.long
@given(
    yaml=yaml_inventories(),
    ini=ini_inventories(),
    group_vars=vars_folder(PARTS),
    host_vars=vars_folder(NAMES),
    more_group_vars=vars_folder(PARTS),
    yaml_first=st.booleans(),
    patterns=st.lists(PATTERNS_OF_TERMS, min_size=5, max_size=5),
)
@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,  # a new mistake is to fail here first, and not in somebody else's build
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_inventories_made_at_random_are_the_same_to_ansible(
    oracle: Oracle,
    tmp_path_factory: pytest.TempPathFactory,
    *,
    yaml: str,
    ini: str,
    group_vars: dict[str, str],
    host_vars: dict[str, str],
    more_group_vars: dict[str, str],
    yaml_first: bool,
    patterns: list[str],
) -> None:
    folder = tmp_path_factory.mktemp("random")
    write(folder, {"one/hosts.yaml": yaml, "two/hosts.ini": ini})
    write(folder / "one", {f"group_vars/{name}": text for name, text in group_vars.items()})
    write(folder / "one", {f"host_vars/{name}": text for name, text in host_vars.items()})
    write(folder / "two", {f"group_vars/{name}": text for name, text in more_group_vars.items()})
    sources = [str(folder / "one/hosts.yaml"), str(folder / "two")]
    sources = sources if yaml_first else sources[::-1]
    assert_same(oracle, [*sources, "somebody,"], patterns, ordered=False)


# --- and the oracle is what Ansible's own commands print -----------------------------------------


def ansible(command: str, *arguments: str, home: Path) -> str:
    program = Path(sys.executable).with_name(command)
    done = subprocess.run(
        [program, *arguments], check=True, capture_output=True, text=True, env=environment(home)
    )
    return done.stdout


@pytest.mark.long
def test_the_oracle_answers_what_the_commands_print(oracle: Oracle, tmp_path: Path) -> None:
    files, _ = INVENTORIES["variables beside the inventory"]
    write(tmp_path, files)
    source = str(tmp_path / "hosts.ini")
    answer = oracle.ask([source], ["web:!web1", "web"])

    printed = json.loads(ansible("ansible-inventory", "-i", source, "--list", home=tmp_path))
    assert printed.pop("_meta")["hostvars"] == answer["hosts"]
    for name, group in printed.items():
        assert group.get("hosts", []) == (answer["groups"][name]["hosts"] if name != "all" else [])
        assert group.get("children", []) == answer["groups"][name]["children"]

    listed = ansible("ansible", "web", "-i", source, "--list-hosts", home=tmp_path)
    assert listed.split()[2:] == answer["patterns"]["web"] == ["web1"]

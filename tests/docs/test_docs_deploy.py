"""The files of deploy/ say what the code knows: settings, roles and ports that exist, and nothing that is not defined.

No engine of containers is needed: the manifests are laid over each other here as `kubectl kustomize` does it.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from headwater import __version__, telemetry
from headwater.app import settings as reading
from headwater.app.apart import apart
from headwater.app.serve import GRACE_SECONDS
from headwater.app.shapes import ROLE_NAMES
from headwater.spec.settings import Settings
from headwater.store.secrets import read_keys

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
EXAMPLE = DEPLOY / "headwater.example.toml"
ROLE = "app.kubernetes.io/component"

# The image


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions: word and rest, with lines joined."""
    lines = [line for line in (DEPLOY / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def image_environment() -> dict[str, str]:
    """What the image sets for every container."""
    last = [rest for word, rest in instructions() if word == "ENV"][-1]
    return dict(part.split("=", 1) for part in shlex.split(last))


def of_headwater(environment: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in environment.items() if name.startswith("HEADWATER_")}


def in_force(environment: dict[str, Any], *roles: str) -> Settings:
    """The settings of a container that runs roles apart from the others.

    Its file of secrets is the example's. A name that does not exist is an error, and so is what roles would not share.
    """
    given = of_headwater(image_environment() | environment)
    if "HEADWATER_CONFIG" in given:
        given["HEADWATER_CONFIG"] = str(EXAMPLE)
    return apart(reading.read(environ=given), roles)


def is_pinned(image: str) -> bool:
    tag = image.rpartition("/")[2].partition(":")[2]
    return bool(tag) and tag != "latest"


def test_the_image_runs_as_nobody_special_and_is_made_of_pinned_ones() -> None:
    users = [rest for word, rest in instructions() if word == "USER"]
    assert len(users) == 1
    assert re.fullmatch(r"[1-9]\d{4,}:[1-9]\d{4,}", users[0]), "Kubernetes can tell only a number from root"
    bases = [rest.split()[0] for word, rest in instructions() if word == "FROM"]
    assert len(bases) == 2
    assert all(is_pinned(base) for base in bases)


def test_the_image_is_asked_for_its_health_where_it_answers() -> None:
    settings = in_force({})
    exposed = {int(port) for word, rest in instructions() if word == "EXPOSE" for port in rest.split()}
    assert exposed == {settings.collect.port, settings.manage.port, settings.health_port}
    assert {settings.collect.host, settings.manage.host, settings.health_host} == {"0.0.0.0"}
    check = next(rest for word, rest in instructions() if word == "HEALTHCHECK")
    assert {int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)/health", check)} == exposed - {settings.collect.port}
    program = yaml.safe_load(check[check.index("[") :])[-1]
    compile(program, "HEALTHCHECK", "exec")


def test_what_the_image_copies_is_there_and_let_through() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*"
    let_through = {rule[1:] for rule in rules if rule.startswith("!")}
    copied: set[str] = set()
    for word, rest in instructions():
        if word == "COPY" and not rest.startswith("--from"):
            copied |= set(rest.split()[:-1])
    assert copied == let_through
    assert all((ROOT / path).exists() for path in copied)
    assert any(fnmatch("src/x/__pycache__", rule) for rule in rules)


# Compose


@cache
def compose() -> dict[str, Any]:
    text = (DEPLOY / "compose" / "compose.yaml").read_text()
    return yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text))


def services(*, roles: bool) -> dict[str, Any]:
    return {name: each for name, each in compose()["services"].items() if ("command" in each) == roles}


def role_of(command: list[str]) -> str:
    assert command[0] == "serve"
    assert len(command) == 2
    return command[1]


def test_compose_has_a_service_for_each_role_and_none_for_others() -> None:
    assert {name: role_of(each["command"]) for name, each in services(roles=True).items()} == {
        role: role for role in ROLE_NAMES
    }
    assert set(services(roles=False)) == {"kafka", "postgres"}


def test_the_services_of_compose_have_settings_that_exist_and_agree() -> None:
    made = {name: in_force(each["environment"], name) for name, each in services(roles=True).items()}
    assert len({(each.log, each.store, each.warehouse, each.key_file) for each in made.values()}) == 1
    some = made["collect"]
    assert (
        some.log.url
        == f"kafka://{compose()['services']['kafka']['environment']['KAFKA_ADVERTISED_LISTENERS'][12:]}/headwater"
    )
    assert re.fullmatch(r"postgresql://headwater:\w+@postgres:5432/headwater", some.store.url)
    assert some.key_file == "/run/secrets/secret.key"
    mounted = {
        name
        for name, each in services(roles=True).items()
        if f"archive:{some.warehouse.archive_url[7:]}" in each.get("volumes", [])
    }
    assert mounted == set(ROLE_NAMES) - {"collect", "pipeline"}


def test_compose_defines_what_its_services_name_and_nothing_else() -> None:
    file = compose()
    every = file["services"].values()
    named = [volume.partition(":")[0] for each in every for volume in each.get("volumes", [])]
    assert set(named) == set(file["volumes"])
    assert {secret for each in every for secret in each.get("secrets", [])} == set(file["secrets"])
    assert {network for each in every for network in each["networks"]} == set(file["networks"])
    for each in every:
        for name, wanted in each.get("depends_on", {}).items():
            assert wanted == {"condition": "service_healthy"}
            assert "healthcheck" in file["services"][name]


def test_the_services_of_compose_are_pinned_bounded_and_without_privilege() -> None:
    for name, each in compose()["services"].items():
        assert is_pinned(each["image"]), name
        assert "privileged" not in each
        assert each["security_opt"] == ["no-new-privileges:true"]
        assert set(each["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}, name
        assert each["restart"] == "unless-stopped"
        assert int(each["stop_grace_period"].removesuffix("s")) > GRACE_SECONDS
        assert all(port.startswith("127.0.0.1:") for port in each.get("ports", [])), "a proxy stands before it"
    for name, each in services(roles=True).items():
        assert each["image"] == f"headwater:{__version__}"
        assert each["read_only"] is True, name
        assert each["cap_drop"] == ["ALL"]


def test_the_image_has_the_folders_of_its_volumes_for_its_own_user() -> None:
    [made] = [
        rest.partition("install -d ")[2] for word, rest in instructions() if word == "RUN" and "install -d" in rest
    ]
    user = next(rest for word, rest in instructions() if word == "USER").partition(":")[0]
    assert f"-o {user} -g {user}" in made
    volumes = [volume for each in services(roles=True).values() for volume in each.get("volumes", [])]
    assert {volume.partition(":")[2] for volume in volumes} == {part for part in made.split() if part.startswith("/")}


def test_compose_publishes_the_two_ports_that_people_and_senders_use() -> None:
    ports = {name: each["ports"] for name, each in compose()["services"].items() if "ports" in each}
    settings = in_force({})
    assert ports == {
        "collect": [f"127.0.0.1:{settings.collect.port}:{settings.collect.port}"],
        "manage": [f"127.0.0.1:{settings.manage.port}:{settings.manage.port}"],
    }


def test_the_broker_of_compose_is_the_one_that_tests_use_and_forgets_nothing() -> None:
    kafka = compose()["services"]["kafka"]
    artefacts = (ROOT / "src" / "headwater" / "contracts" / "kafka_artefacts.py").read_text()
    assert f":kafka_2.13:{kafka['image'].partition(':')[2]}" in artefacts
    given = kafka["environment"]
    assert int(given["KAFKA_OFFSETS_RETENTION_MINUTES"]) >= 5 * 365 * 24 * 60
    assert given["KAFKA_UNCLEAN_LEADER_ELECTION_ENABLE"] == "false"
    assert given["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    assert int(given["KAFKA_TRANSACTION_MAX_TIMEOUT_MS"]) >= 60_000


def test_the_secrets_of_compose_are_made_once_and_are_understood(tmp_path: Path) -> None:
    folder = tmp_path / "compose"
    shutil.copytree(DEPLOY / "compose", folder, ignore=shutil.ignore_patterns("secrets"))
    made: list[dict[str, bytes]] = []
    for _ in range(2):
        subprocess.run(["sh", str(folder / "secrets.sh")], check=True, capture_output=True, timeout=20)
        made.append({file.name: file.read_bytes() for file in (folder / "secrets").iterdir()})
    assert made[0] == made[1]
    paths = {name: Path(secret["file"]).as_posix() for name, secret in compose()["secrets"].items()}
    assert paths == {name: f"secrets/{name}" for name in made[0]}
    assert (folder / "secrets").stat().st_mode & 0o077 == 0
    settings = reading.read(environ={}, file=folder / "secrets" / "headwater.toml")
    assert made[0]["postgres.password"].decode() in settings.store.url
    assert len(settings.admin_token) >= 32
    assert len(read_keys(folder / "secrets" / "secret.key").keys) == 1


def test_the_example_of_the_secret_file_holds_secrets_alone(tmp_path: Path) -> None:
    whole = tmp_path / "headwater.toml"
    whole.write_text(re.sub(r"^# (\[\w+\]$|\w+ = )", r"\1", EXAMPLE.read_text(), flags=re.MULTILINE))
    for file in (EXAMPLE, whole):
        given = {value.name for value in reading.explain(file=file) if value.origin == str(file)}
        assert {"admin_token", "write_key", "store.url"} <= given <= reading.SECRET
    assert reading.read(environ={}, file=whole).log.kafka[0] == "security.protocol=SASL_SSL"


# Watching


def exposed() -> set[str]:
    """The names under which Prometheus sees the metrics of the house."""
    return {sample for family in telemetry.prom.REGISTRY.collect() for sample in _samples(family.name, family.type)}


def _samples(name: str, kind: str) -> set[str]:
    ends = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(kind, ("",))
    return {name + end for end in ends}


def test_alerts_and_the_page_about_them_watch_metrics_that_exist() -> None:
    [group] = yaml.safe_load((DEPLOY / "prometheus" / "headwater.rules.yaml").read_text())["groups"]
    watched = {name for rule in group["rules"] for name in re.findall(r"headwater_\w+", rule["expr"])}
    assert watched <= exposed()
    assert all(set(rule) - {"for"} == {"alert", "expr", "labels", "annotations"} for rule in group["rules"])
    page = (ROOT / "docs" / "how-to" / "distributed.md").read_text()
    told = set(re.findall(r"^\| `(headwater_\w+)", page, re.MULTILINE))
    assert told == {name.removesuffix("_bucket") for name in watched}


# By hand


def properties(path: Path) -> dict[str, str]:
    lines = (line.partition("=") for line in path.read_text().splitlines() if line and not line.startswith("#"))
    return {name: value for name, _, value in lines}


def test_three_brokers_keep_what_was_acknowledged_and_where_readers_stand() -> None:
    given = properties(DEPLOY / "kafka" / "server.properties")
    assert int(given["offsets.retention.minutes"]) >= 5 * 365 * 24 * 60
    assert given["unclean.leader.election.enable"] == "false"
    assert given["auto.create.topics.enable"] == "false"
    assert given["min.insync.replicas"] == given["transaction.state.log.min.isr"] == "2"
    copies = {given[name] for name in given if name.endswith("replication.factor")}
    assert copies == {"3"}
    assert len(given["controller.quorum.voters"].split(",")) == 3
    assert int(given["transaction.max.timeout.ms"]) >= 60_000


def test_the_unit_of_systemd_runs_a_role_and_gives_it_time_to_finish() -> None:
    unit = properties(DEPLOY / "systemd" / "headwater@.service")
    assert unit["ExecStart"].endswith("/headwater serve %i")
    assert unit["User"] == "headwater"
    assert int(unit["TimeoutStopSec"]) > GRACE_SECONDS
    data = in_force(dict([unit["Environment"].split("=", 1)])).data
    assert data == unit["WorkingDirectory"] == f"/var/lib/{unit['StateDirectory']}"


# Kubernetes


def laid_over(under: Any, over: Any) -> Any:
    """A strategic merge: mappings are merged, lists too where their items have names."""
    if isinstance(under, dict) and isinstance(over, dict):
        return under | {key: laid_over(under[key], value) if key in under else value for key, value in over.items()}
    if isinstance(under, list) and isinstance(over, list) and all("name" in each for each in under + over):
        named = {each["name"]: each for each in over}
        kept = [laid_over(each, named.pop(each["name"], {})) for each in under]
        return kept + list(named.values())
    return over


def documents(path: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((KUBERNETES / path).read_text()))


@cache
def rendered() -> tuple[dict[str, Any], ...]:
    """All objects, with what kustomization.yaml lays over them."""
    [kustomization] = documents("kustomization.yaml")
    made = [each for path in kustomization["resources"] for each in documents(path)]
    for patch in kustomization["patches"]:
        [over] = documents(patch["path"])
        spec = {"spec": over["spec"]}
        kinds = patch["target"]["kind"].split("|")
        made = [laid_over(each, spec) if each["kind"] in kinds else each for each in made]
    return tuple(made)


def objects(*kinds: str) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each for each in rendered() if each["kind"] in kinds}


def pods() -> dict[str, dict[str, Any]]:
    """The pod of each workload, by name."""
    return {name: each["spec"]["template"] for name, each in objects("StatefulSet").items()}


def container(pod: dict[str, Any]) -> dict[str, Any]:
    [only] = pod["spec"]["containers"]
    return only


def configured() -> dict[str, str]:
    lines = (KUBERNETES / "settings.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def selected(labels: dict[str, str]) -> list[str]:
    return [name for name, pod in pods().items() if labels.items() <= pod["metadata"]["labels"].items()]


def test_kustomize_takes_every_manifest_and_the_image_of_this_version() -> None:
    [kustomization] = documents("kustomization.yaml")
    patches = [patch["path"] for patch in kustomization["patches"]]
    files = {file.name for file in KUBERNETES.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(kustomization["resources"] + patches) == files
    assert kustomization["images"] == [{"name": "headwater", "newName": "headwater", "newTag": __version__}]
    assert {container(pod)["image"] for pod in pods().values()} == {"headwater"}
    [namespace] = objects("Namespace")
    assert kustomization["namespace"] == namespace
    assert kustomization["configMapGenerator"] == [{"name": "headwater", "envs": ["settings.env"]}]


def test_there_is_a_workload_for_each_role_and_none_for_others() -> None:
    assert {name: role_of(container(pod)["args"]) for name, pod in pods().items()} == {
        role: role for role in ROLE_NAMES
    }
    for name, workload in objects("StatefulSet").items():
        chosen = workload["spec"]["selector"]["matchLabels"]
        assert chosen == {ROLE: name}
        assert selected(chosen) == [name]


def test_the_settings_of_the_manifests_exist_and_lead_to_mounted_files() -> None:
    settings = in_force(configured())
    assert settings.log.url.startswith("kafka://")
    assert settings.log.partitions > 1
    assert settings.warehouse.archive_url
    given = configured()
    for name, pod in pods().items():
        own = {each["name"]: "a-name" for each in container(pod).get("env", [])}
        assert in_force(given | own, name).log.url == settings.log.url
        mounts = {each["name"]: each["mountPath"] for each in container(pod)["volumeMounts"]}
        assert mounts["data"] == settings.data
        for file in (given["HEADWATER_CONFIG"], given["HEADWATER_KEY_FILE"]):
            assert str(Path(file).parent) == mounts["secrets"]


def test_pods_mount_what_is_defined_and_define_what_they_mount() -> None:
    for name, workload in objects("StatefulSet").items():
        pod = workload["spec"]["template"]
        volumes = [each["name"] for each in pod["spec"]["volumes"]]
        volumes += [each["metadata"]["name"] for each in workload["spec"].get("volumeClaimTemplates", [])]
        assert sorted(volumes) == sorted(each["name"] for each in container(pod)["volumeMounts"]), name
        [secret] = [each["secret"] for each in pod["spec"]["volumes"] if "secret" in each]
        assert secret["secretName"] == "headwater"
    text = (KUBERNETES / "README.md").read_text()
    given = configured()
    [made] = re.findall(r"create secret generic headwater (?:.|\\\n)*?\n", text)
    files = set(re.findall(r"--from-file=([\w.]+)", made))
    assert files == {Path(given[name]).name for name in ("HEADWATER_CONFIG", "HEADWATER_KEY_FILE")}


def test_probes_ask_the_port_of_health_and_services_lead_to_ports_that_exist() -> None:
    settings = in_force(configured())
    served = {"collect": settings.collect.port, "manage": settings.manage.port}
    for name, pod in pods().items():
        ports = {each["name"]: each["containerPort"] for each in container(pod)["ports"]}
        assert ports == {"health": settings.health_port} | ({"http": served[name]} if name in served else {})
        for probe, path in (("startupProbe", "/health"), ("livenessProbe", "/health"), ("readinessProbe", "/ready")):
            assert container(pod)[probe]["httpGet"] == {"path": path, "port": "health"}
        service = objects("Service")[name]["spec"]
        assert selected(service["selector"]) == [name]
        assert {each["targetPort"]: each["port"] for each in service["ports"]} == ports


def test_stateful_roles_keep_their_name_and_their_partitions_wait_for_them() -> None:
    for name, each in objects("StatefulSet").items():
        service = each["spec"]["serviceName"]
        assert service == name
        assert service in objects("Service")
        own = {one["name"]: one["valueFrom"] for one in container(each["spec"]["template"])["env"]}
        assert own == {"HEADWATER_LOG_INSTANCE": {"fieldRef": {"fieldPath": "metadata.name"}}}
    assert "volumeClaimTemplates" in objects("StatefulSet")["collect"]["spec"], "what it answered 200 for lies there"


def test_pods_are_bounded_and_without_privilege() -> None:
    user = int(next(rest for word, rest in instructions() if word == "USER").partition(":")[0])
    for name, pod in pods().items():
        whole, own = pod["spec"]["securityContext"], container(pod)["securityContext"]
        assert whole["runAsNonRoot"] is True
        assert whole["runAsUser"] == whole["fsGroup"] == user
        assert whole["seccompProfile"] == {"type": "RuntimeDefault"}
        assert own == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert pod["spec"]["automountServiceAccountToken"] is False
        resources = container(pod)["resources"]
        assert set(resources["requests"]) == {"cpu", "memory"}, name
        assert set(resources["limits"]) == {"memory"}


def test_pods_are_given_the_time_that_they_take_to_finish() -> None:
    for pod in pods().values():
        before = container(pod).get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["sleep", "0"])
        assert before[0] == "sleep"
        assert pod["spec"]["terminationGracePeriodSeconds"] > GRACE_SECONDS + int(before[1])


@pytest.mark.parametrize("kind", ["PodDisruptionBudget", "NetworkPolicy", "HorizontalPodAutoscaler"])
def test_what_speaks_of_pods_speaks_of_some_that_are_there(kind: str) -> None:
    found = objects(kind)
    assert found
    for each in found.values():
        spec = each["spec"]
        if kind == "HorizontalPodAutoscaler":
            target = spec["scaleTargetRef"]
            assert objects(target["kind"])[target["name"]]["spec"].get("replicas") is None, "the autoscaler says it"
            continue
        chooser = spec["selector" if kind == "PodDisruptionBudget" else "podSelector"]
        assert selected(chooser.get("matchLabels", {})), each["metadata"]["name"]
        for one in chooser.get("matchExpressions", []):
            assert (one["key"], one["operator"]) == (ROLE, "In")
            assert set(one["values"]) <= set(ROLE_NAMES)
    if kind == "PodDisruptionBudget":
        assert set(found) == set(ROLE_NAMES)


def test_the_policies_let_in_what_services_offer() -> None:
    settings = in_force(configured())
    open_to = {
        name: [port["port"] for rule in each["spec"]["ingress"] for port in rule["ports"]]
        for name, each in objects("NetworkPolicy").items()
        if "ingress" in each["spec"]
    }
    assert open_to == {
        "collect": [settings.collect.port],
        "manage": [settings.manage.port],
        "metrics": [settings.health_port],
    }
    everybody = objects("NetworkPolicy")["nothing-else"]["spec"]
    assert everybody == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}

"""What `headwater doctor` says of a Kafka cluster."""

import msgspec
import pytest

from headwater.app.engines import cluster_findings
from headwater.app.finding import Finding
from headwater.eventlog.kafka.examining import Cluster, StreamFound, knock
from headwater.eventlog.kafka.reach import reach
from headwater.spec.errors import SetupError, Unavailable
from headwater.spec.settings import LogSettings

STREAM = StreamFound("hw.collected", 12, 3, 3, {"min.insync.replicas": "2", "retention.ms": "-1"})
CLUSTER = Cluster(3, {"offsets.retention.minutes": "5256000", "transaction.max.timeout.ms": "900000"}, {"c": STREAM})


def _told(cluster: Cluster) -> list[Finding]:
    return [one for one in cluster_findings(cluster, LogSettings(partitions=12)) if one.status != "ok"]


def test_a_cluster_that_keeps_everything_three_times_has_nothing_to_be_said_of() -> None:
    assert _told(CLUSTER) == []


@pytest.mark.parametrize(
    ("stream", "status", "said"),
    [
        ({"partitions": 6}, "fail", "Set log.partitions=6"),
        ({"copies": 1, "in_sync": 1}, "warn", "more copies"),
        ({"in_sync": 2}, "warn", "Bring it back"),
        ({"settings": {"min.insync.replicas": "1"}}, "warn", "min.insync.replicas=2"),
        ({"settings": {"retention.ms": "604800000"}}, "warn", "retention.ms=-1"),
        ({"settings": {"cleanup.policy": "compact"}}, "fail", "cleanup.policy=delete"),
        ({"settings": {}}, None, ""),
    ],
)
def test_a_stream_that_may_lose_records_is_told_with_what_to_do(stream, status, said) -> None:
    told = _told(msgspec.structs.replace(CLUSTER, streams={"c": msgspec.structs.replace(STREAM, **stream)}))
    assert [one.status for one in told] == ([status] if status else [])
    assert all(one.check == "hw.collected" and said in one.advice for one in told)


@pytest.mark.parametrize(
    ("settings", "status", "said"),
    [
        ({"offsets.retention.minutes": "10080"}, "warn", "offsets.retention.minutes=43200"),
        ({"transaction.max.timeout.ms": "10000"}, "fail", "transaction.max.timeout.ms=60000"),
        ({"transaction.state.log.replication.factor": "1"}, "warn", "transaction.state.log.replication.factor=3"),
        ({}, "warn", "DescribeConfigs"),
    ],
)
def test_brokers_that_forget_are_told_with_what_to_do(settings, status, said) -> None:
    cluster = msgspec.structs.replace(CLUSTER, settings={**CLUSTER.settings, **settings} if settings else {})
    (told,) = _told(cluster)
    assert (told.status, said in told.advice) == (status, True)


def test_streams_that_are_missing_are_made_at_the_first_start() -> None:
    (found, *_) = cluster_findings(msgspec.structs.replace(CLUSTER, streams={}), LogSettings(partitions=12))
    assert (found.status, found.found) == ("ok", "will be made at the first start, with 12 partitions each")


def test_brokers_that_are_away_are_told_from_a_property_that_is_wrong() -> None:
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1 does not answer yet"):
        knock(reach("kafka://127.0.0.1:1/hw"), 0.2)
    with pytest.raises(SetupError, match=r'wrong: No such configuration property: "security\.protocl"'):
        knock(reach("kafka://127.0.0.1:1/hw", ["security.protocl=SSL"]), 0.2)

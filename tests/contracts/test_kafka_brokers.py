"""The brokers for tests: a cluster of three loses nothing by the death of one."""

from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from headwater.contracts.kafka_brokers import WHY_NOT, Brokers, kafka_brokers

TOPIC = "lasting"


def test_three_brokers_lose_nothing_by_the_death_of_one(tmp_path: Path) -> None:
    with kafka_brokers(tmp_path, 3) as brokers:
        if brokers is None:
            pytest.skip(WHY_NOT)
        make_topic(brokers)
        producer = Producer({"bootstrap.servers": brokers.servers, "acks": "all", "linger.ms": 0})
        produce(producer, "before")
        brokers.kill(leader(brokers))
        produce(producer, "while one is gone")
        brokers.start()
        produce(producer, "after")
        assert stored(brokers, 3) == ["before", "while one is gone", "after"]


def make_topic(brokers: Brokers) -> None:
    admin = AdminClient({"bootstrap.servers": brokers.servers})
    for _ in range(10):  # the client drops its first connections once it knows the brokers by name, with what is asked
        try:
            admin.create_topics([NewTopic(TOPIC, 1, 3)])[TOPIC].result()
            return
        except KafkaException as error:
            code = error.args[0].code()
            if code == KafkaError.TOPIC_ALREADY_EXISTS:
                return
            if code != KafkaError._DESTROY_BROKER:
                raise
    raise AssertionError("the client drops every connection")


def leader(brokers: Brokers) -> int:
    admin = AdminClient({"bootstrap.servers": brokers.servers})
    return admin.list_topics(TOPIC).topics[TOPIC].partitions[0].leader


def produce(producer: Producer, text: str) -> None:
    failed: list[object] = []
    producer.produce(TOPIC, text.encode(), on_delivery=lambda error, _: failed.append(error) if error else None)
    assert producer.flush(30) == 0
    assert not failed


def stored(brokers: Brokers, count: int) -> list[str]:
    consumer = Consumer({"bootstrap.servers": brokers.servers, "group.id": "reader"})
    try:
        consumer.assign([TopicPartition(TOPIC, 0, 0)])
        return [(each.value() or b"").decode() for each in consumer.consume(count, timeout=20)]
    finally:
        consumer.close()

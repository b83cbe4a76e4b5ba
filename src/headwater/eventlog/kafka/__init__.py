"""The parts of a log on Kafka: how it is spoken to, made, written, read, and shared out among workers.

Each stream is a topic, each record a message: the key, the value, and the header as a message header. What a group has
dealt with is kept as Kafka keeps it, in a consumer group of the name `<prefix>.<group>` that never has members, so that
a transaction can set it; who works on which partition is settled in another, `<prefix>.<group>.workers`, that never has
offsets (docs/design/0023). `eventlog/backends/kafka.py` puts the parts together.
"""

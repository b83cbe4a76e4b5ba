"""What S3 is sent is signed as AWS publishes it, and named by what is in it."""

import msgspec

from headwater.contracts.destinations import items
from headwater.destinations.s3 import signed, store
from headwater.spec.destination import Request, Response

SETTINGS = {
    "bucket": "examplebucket",
    "region": "us-east-1",
    "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "secretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
}
MAY_24_2013 = 1_369_353_600.0


def test_a_signature_is_the_one_that_aws_publishes_as_its_example() -> None:
    headers = {"Date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"}
    url = "https://examplebucket.s3.amazonaws.com/test$file.text"
    request = signed(SETTINGS, Request("PUT", url, headers, b"Welcome to Amazon S3."), MAY_24_2013)
    assert request.headers["Authorization"].endswith(
        "SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class, "
        "Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
    )


def test_events_of_more_days_than_files_come_again() -> None:
    due = items([{"messageId": f"m{day}"} for day in range(12)])
    due = [msgspec.structs.replace(item, received_at=day * 86_400_000) for day, item in enumerate(due)]
    steps = store(SETTINGS, due)
    made = [next(steps)]
    while True:
        try:
            made.append(steps.send(Response(200)))
        except StopIteration as ended:
            result = ended.value
            break
    assert len({request.url for request in made}) == 9
    assert {index: why.again for index, why in result.items()} == {9: True, 10: True, 11: True}

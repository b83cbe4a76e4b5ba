"""What a Kafka broker for tests is made of: the jars of Apache Kafka, pinned by their digests.

`python -m headwater.contracts.kafka_artefacts` fetches what is missing. Maven does it, as it is set up on the machine
(its settings name mirrors and proxies), into the local repository that it keeps in the home folder. Nothing is used
whose digest is another than here.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path.home() / ".m2" / "repository"
_PINNED: Final = """
5631c61356d55611c158291a69ad028f3c4fed5d0a610c62a0853c65c89d10f6 org.apache.kafka:kafka_2.13:3.9.1
7568b998572d256f0b7bc0afdc1b7a2588b8b08415c62ce314c864a6851ae9d9 org.apache.kafka:kafka-clients:3.9.1
cb267d841def1172d8db24a830936f1c6aaf29c3de5bdbc5bbc42b67d8cb82c0 org.apache.kafka:kafka-group-coordinator-api:3.9.1
fd30310533df51b17d14beb8eb8c9006a9ebb90b536c319776429e413f622a69 org.apache.kafka:kafka-group-coordinator:3.9.1
35c35118d4abb0b747ad68d1e0be00d5bd02206b462ad76ebbcd85b33436f13a org.apache.kafka:kafka-metadata:3.9.1
0d4236cf868f8668c74c49bec4bed41e400bb13d6d381a0f8e9843585b2f159f org.apache.kafka:kafka-raft:3.9.1
99f1f5f81e9d39cfbe5c96ab8e3854be8deca465937192c9a6e2f231678d31f6 org.apache.kafka:kafka-server-common:3.9.1
02b5a92645865e3152e9d1d829f6d4c4b4272f637b7fe4a2b00cabcbcd8df6f4 org.apache.kafka:kafka-server:3.9.1
f466777625641d4bca1314d80206eafa9e2494326496ad626489ba0a0ef479fc org.apache.kafka:kafka-storage-api:3.9.1
a3041e6192a37e5508519d776f8af93b74d3fd23174b03e270c0394f1c77b59f org.apache.kafka:kafka-storage:3.9.1
c365c872ffc9a04886f248c5fd90067829ed4064fcd8fe5e12611b163cd053b4 org.apache.kafka:kafka-tools-api:3.9.1
45b852f2e6e501d4dbdd43b97c4057e6cb6827b76e5aabcffcae8b8e2918554f org.apache.kafka:kafka-transaction-coordinator:3.9.1
d1cdd269ebaa753d1842933194e17d61958f058952d63e03dbfb3d1d78a6926e com.fasterxml.jackson.core:jackson-annotations:2.16.2
4f43e2f1430b2d2413e8e5a3d79138e57e891d6a961b18c28ac90859639d8664 com.fasterxml.jackson.core:jackson-core:2.16.2
53b6025d98c357068296e4b134242443a248c2c582800879f1c4ea93b54bafa6 com.fasterxml.jackson.core:jackson-databind:2.16.2
1e0a7bbef1dd791653143f3f05d0e489934bf5481e58a87c9e619cd46b68729b com.github.ben-manes.caffeine:caffeine:2.9.3
793ca8734aa15687e7e64564eab8b6ae9ee2720eae27aa663074682144b1c386 com.github.luben:zstd-jni:1.5.6-4
87a3017d3f43e6ace7566fe4c3d615134c6914ff871c8d64bb32ca1d996d0545 com.typesafe.scala-logging:scala-logging_2.13:3.9.5
6b7a14a6f34c10f8683f7b5e2f39df0f07b58c7dff0e468ebbc713905c46979c com.yammer.metrics:metrics-core:2.2.0
4d74f4ce4fb68b2617edad086df6defdf9338467d2377d2c62e69038e1c4f02f commons-validator:commons-validator:1.7
df26cc58f235f477db07f753ba5a3ab243ebe5789d9f89ecf68dd62ea9a66c28 net.sf.jopt-simple:jopt-simple:5.0.4
2d77b152039e7f85dc5438a9304febff86a2f3e55c88976a8be309af39028e97 org.apache.zookeeper:zookeeper:3.8.4
d74a3334fb35195009b338a951f918203d6bbca3d1d359033dc33edd1cadc9ef org.lz4:lz4-java:1.8.0
1f82766d7c3221930854033bebff5073ea46b43f27326074bbe15d148c18bfb3 org.pcollections:pcollections:4.0.1
90d5b13656be93fb779b8d7c723efa2498a34af06273bb5204afb65f85a20c1b org.scala-lang.modules:scala-java8-compat_2.13:1.0.2
8e4dbc3becf70d59c787118f6ad06fab6790136a0699cd6412bc9da3d336944e org.scala-lang:scala-library:2.13.15
d3ef575e3e4979678dc01bf1dcce51021493b4d11fb7f1be8ad982877c16a1c0 org.slf4j:slf4j-api:1.7.36
2f39bed943d624dfa8f4102d0571283a10870b6aa36f197a8a506f147010c10f org.slf4j:slf4j-simple:1.7.36
0f3f1857ed33116583f480b4df5c0218836c47bfbc9c6221c0d73f356decf37b org.xerial.snappy:snappy-java:1.1.10.5
"""
JARS: Final = {jar: digest for digest, jar in map(str.split, _PINNED.strip().splitlines())}
"""Group, artefact and version of each jar that a broker loads, with its SHA-256. TLS and SASL/SCRAM need no others."""

_POM: Final = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>headwater</groupId>
  <artifactId>kafka-artefacts</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
{dependencies}
  </dependencies>
</project>
"""
_DEPENDENCY: Final = (
    "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version>"
    "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions></dependency>"
)


def jar(coordinates: str) -> Path:
    """Where the local repository keeps a jar."""
    group, artefact, version = coordinates.split(":")
    return REPOSITORY.joinpath(*group.split("."), artefact, version, f"{artefact}-{version}.jar")


def missing() -> list[str]:
    """The jars that are not there."""
    return [each for each in JARS if not jar(each).exists()]


def class_path() -> str:
    """All jars as Java takes them. Raises RuntimeError when one is missing or is not what it should be."""
    if absent := missing():
        raise RuntimeError(f"Missing: {', '.join(absent)}.")
    if wrong := [each for each, digest in JARS.items() if hashlib.sha256(jar(each).read_bytes()).hexdigest() != digest]:
        raise RuntimeError(f"Not what they should be, by their digests: {', '.join(str(jar(each)) for each in wrong)}.")
    return ":".join(str(jar(each)) for each in JARS)


def fetch() -> None:
    """Have Maven fetch what is missing. Raises RuntimeError when it cannot."""
    program = shutil.which("mvn")
    if program is None:
        raise RuntimeError("Maven (mvn) is not installed.")
    with tempfile.TemporaryDirectory(prefix="headwater-kafka-") as folder:
        lines = [_DEPENDENCY.format(*each.split(":")) for each in JARS]
        pom = Path(folder, "pom.xml")
        pom.write_text(_POM.format(dependencies="\n".join(lines)), encoding="utf-8")
        options = ["--batch-mode", "--quiet", f"-Dmaven.repo.local={REPOSITORY}", "--file", str(pom)]
        done = subprocess.run(
            [program, *options, "dependency:resolve"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"Maven could not fetch them:\n{(done.stdout + done.stderr).strip()}")


def main() -> None:
    """Fetch what is missing, and check all of it."""
    try:
        if missing():
            fetch()
        class_path()
    except RuntimeError as error:
        sys.exit(f"No Kafka broker for tests. {error}")


if __name__ == "__main__":
    main()

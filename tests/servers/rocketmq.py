"""RocketMQ: a name server, a broker and a proxy, three processes that can be killed one by one."""

from __future__ import annotations

import itertools
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Self

from tests.servers import certificates, jars, ports
from tests.servers.process import HOST, READY_DEADLINE, Process, ask
from tests.servers.remoting import CLUSTER, CREATE_GROUP, CREATE_TOPIC, remoting

_OPENED = (
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED",
)
_CLUSTER_NAME = "DefaultCluster"
_BROKER: Mapping[str, object] = {
    "brokerClusterName": _CLUSTER_NAME,
    "brokerName": "broker-a",
    "brokerId": 0,
    "brokerRole": "ASYNC_MASTER",
    "flushDiskType": "ASYNC_FLUSH",  # what it acknowledged is in the system's memory: a kill loses nothing
    "brokerIP1": HOST,
    "brokerIP2": HOST,
    "bindAddress": HOST,
    "autoCreateTopicEnable": "false",
    "autoCreateSubscriptionGroup": "false",
    "mappedFileSizeCommitLog": 16777216,
    "mappedFileSizeConsumeQueue": 120000,
    "mappedFileSizeTimerLog": 4194304,
    "maxHashSlotNum": 10000,
    "maxIndexNum": 40000,
    "diskMaxUsedSpaceRatio": 95,
    "timerWheelEnable": "true",
    "timerPrecisionMs": 100,
    "enablePropertyFilter": "true",
    "recallMessageEnable": "true",
    "slaveReadEnable": "false",
    "transactionTimeOut": 2000,
    "transactionCheckInterval": 2000,
    # Well below the time-out, or it asks the producer about transactions whose end it has not written down yet.
    "transactionOpBatchInterval": 100,
    "reviveInterval": 200,
    "osPageCacheBusyTimeOutMills": 10000,
    "waitTimeMillsInSendQueue": 10000,
    "startAcceptSendRequestTimeStamp": 0,
}
_PROXY: Mapping[str, object] = {
    "rocketMQClusterName": _CLUSTER_NAME,
    "proxyMode": "CLUSTER",
    "useEndpointPortFromRequest": True,
    "tlsTestModeEnable": False,
    "grpcShutdownTimeSeconds": 1,
    "enableGrpcEpoll": False,
    "minInvisibleTimeMillsForRecv": 1000,
    "grpcClientConsumerMinLongPollingTimeoutMillis": 1000,
    "topicRouteServiceCacheRefreshSeconds": 1,
    "topicRouteServiceCacheExpiredSeconds": 30,
    "topicConfigCacheRefreshSeconds": 1,
    "subscriptionGroupConfigCacheRefreshSeconds": 1,
    "grpcBossLoopNum": 1,
    "grpcWorkerLoopNum": 2,
    "grpcThreadPoolNums": 8,
    "grpcProducerThreadPoolNums": 8,
    "grpcConsumerThreadPoolNums": 8,
    "grpcRouteThreadPoolNums": 4,
    "grpcClientManagerThreadPoolNums": 4,
    "grpcTransactionThreadPoolNums": 4,
}
_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""How HTTP/2, and so gRPC, begins: the preface and empty settings."""
_SETTINGS_FRAME = "\x04"


class Part(Process):
    """One of the three processes."""

    heap: ClassVar[str]
    main: ClassVar[str]
    options: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        super().__init__()
        self.variables: Mapping[str, str] = {"ROCKETMQ_HOME": str(self.folder), "RMQ_PROXY_HOME": str(self.folder)}

    @staticmethod
    def missing() -> list[str]:
        return jars.missing("rocketmq")

    def argv(self) -> list[str]:
        own = (f"-Duser.home={self.folder}", f"-Drocketmq.home.dir={self.folder}")
        options = (*self.tls(), *_OPENED, *own, *self.options)
        classes = str(jars.folder("rocketmq") / "*")
        return [*jars.java(self.heap, *options), "-cp", classes, self.main, *self.arguments()]

    def tls(self) -> tuple[str, ...]:
        """Give the options of TLS. Without a certificate of its own, each start would make keys first, for seconds."""
        return ("-Dtls.server.mode=disabled",)

    def arguments(self) -> list[str]:
        """Give what follows the main class."""
        return ["-c", str(self.folder / "conf")]

    def write(self, settings: Mapping[str, object]) -> None:
        """Write the configuration."""
        (self.folder / "conf").write_text("".join(f"{key}={value}\n" for key, value in settings.items()))


def _both(folder: Path) -> tuple[str, ...]:
    """Options of who speaks both with and without TLS on his port, with the certificates in a folder."""
    return ("-Dtls.server.mode=permissive", "-Dtls.test.mode.enable=false", f"-Dtls.config.file={folder / 'tls'}")


class NameServer(Part):
    """Knows which broker has which topic."""

    name = "rocketmq-names"
    heap = "128m"
    main = "org.apache.rocketmq.namesrv.NamesrvStartup"

    def __init__(self) -> None:
        super().__init__()
        self.port = ports.take()

    @property
    def hosts(self) -> str:
        """The address of the name server."""
        return f"{HOST}:{self.port}"

    def tls(self) -> tuple[str, ...]:
        return _both(self.folder)

    def prepare(self) -> None:
        safe = certificates.make(self.folder)
        said = (
            "tls.server.mode=permissive",
            "tls.test.mode.enable=false",
            f"tls.server.certPath={safe.certificate}",
            f"tls.server.keyPath={safe.key}",
        )
        (self.folder / "tls").write_text("\n".join(said) + "\n")
        self.write(
            {
                "listenPort": self.port,
                "bindAddress": HOST,
                "rocketmqHome": self.folder,
                "kvConfigPath": self.folder / "kvConfig.json",
                "configStorePath": self.folder / "namesrv.properties",
                "scanNotActiveBrokerInterval": 2000,
            }
        )

    def probe(self) -> None:
        remoting(self.port, CLUSTER, timeout=2.0)


class Broker(Part):
    """Keeps the messages."""

    name = "rocketmq-broker"
    heap = "512m"
    main = "org.apache.rocketmq.broker.BrokerStartup"
    options = (
        "-XX:MaxDirectMemorySize=256m",
        "-Drocketmq.broker.diskSpaceWarningLevelRatio=0.99",
        "-Drocketmq.broker.diskSpaceCleanForciblyRatio=0.98",
    )

    def __init__(self, names: NameServer, settings: Mapping[str, object]) -> None:
        super().__init__()
        self._names = names
        self._settings = settings
        _fast, self._replication, self.port = ports.take_block(3)  # it takes the port two below its own by itself

    def tls(self) -> tuple[str, ...]:
        return _both(self._names.folder)

    def prepare(self) -> None:
        store = self.folder / "store"
        own = {
            "namesrvAddr": self._names.hosts,
            "listenPort": self.port,
            "haListenPort": self._replication,
            "storePathRootDir": store,
            "storePathCommitLog": store / "commitlog",
        }
        self.write({**_BROKER, **own, **self._settings})

    def probe(self) -> None:
        """Connect, since the name server remembers a broker that is gone for a while; then see that it has this one."""
        socket.create_connection((HOST, self.port), 1.0).close()
        _, body = remoting(self._names.port, CLUSTER, timeout=2.0)
        if f"{HOST}:{self.port}".encode() not in body:
            raise ConnectionError("the name server does not know it yet")


class Proxy(Part):
    """Speaks gRPC with the clients. It ends at once when it starts before a broker is there."""

    name = "rocketmq-proxy"
    heap = "384m"
    main = "org.apache.rocketmq.proxy.ProxyStartup"
    options = ("-XX:MaxDirectMemorySize=256m",)

    def __init__(self, names: NameServer) -> None:
        super().__init__()
        self._names = names
        self.port, self._remoting = ports.take_many(2)

    @property
    def remoting_hosts(self) -> str:
        """The address at which it speaks RocketMQ's own protocol."""
        return f"{HOST}:{self._remoting}"

    def prepare(self) -> None:
        safe = certificates.make(self.folder)  # else it makes one at each start
        own = {
            "namesrvAddr": self._names.hosts,
            "grpcServerPort": self.port,
            "remotingListenPort": self._remoting,
            "tlsKeyPath": str(safe.key),
            "tlsCertPath": str(safe.certificate),
        }
        (self.folder / "conf").write_text(json.dumps({**_PROXY, **own}))

    def arguments(self) -> list[str]:
        return ["-n", self._names.hosts, "-pc", str(self.folder / "conf"), "-pm", "cluster"]

    def probe(self) -> None:
        answer = ask(self.port, _HELLO)
        if answer[3:4] != _SETTINGS_FRAME:
            raise ConnectionError(answer)


class RocketMQ:
    """The three together. It makes no topic and no group by itself; what the broker acknowledged outlives a kill.

    `settings` are the broker's, beside what is set here. Its orderly stop takes more than 15 seconds: kill it, or one of its parts
    (`server.broker.kill()`), and start again.
    """

    def __init__(self, settings: Mapping[str, object] | None = None) -> None:
        self.names = NameServer()
        self.broker = Broker(self.names, settings or {})
        self.proxy = Proxy(self.names)
        self._numbers = itertools.count(1)

    @staticmethod
    def missing() -> list[str]:
        """Give what is not installed here."""
        return Part.missing()

    @property
    def hosts(self) -> str:
        """The `endpoints` for a client: the proxy."""
        return f"{HOST}:{self.proxy.port}"

    @property
    def parts(self) -> tuple[Part, ...]:
        """The processes, in the order in which they start."""
        return (self.names, self.broker, self.proxy)

    def start(self, deadline: float = READY_DEADLINE) -> Self:
        """Start the parts that are down, each when the one before it is ready.

        Raises:
            StartError: as `Process.start`.
        """
        for part in self.parts:
            if not part.running:
                part.start(deadline)
        return self

    def kill(self) -> None:
        """SIGKILL all parts."""
        for part in reversed(self.parts):
            part.kill()

    def pause(self) -> None:
        """Freeze all parts."""
        for part in self.parts:
            part.pause()

    def resume(self) -> None:
        """Let all parts go on."""
        for part in self.parts:
            part.resume()

    def wait_ready(self, deadline: float = READY_DEADLINE) -> None:
        """Wait until all parts answer."""
        for part in self.parts:
            part.wait_ready(deadline)

    def close(self) -> None:
        """End all parts and remove their data."""
        self.kill()
        for part in self.parts:
            part.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def create_topic(self, name: str = "test", *, kind: str = "NORMAL", queues: int = 4) -> str:
        """Create an empty topic, a new one at each call (NAME_1, NAME_2, …), and give its name.

        Its kind is what a client may send to it: NORMAL, FIFO, DELAY, TRANSACTION or PRIORITY (10 queues for 0 to 9).
        """
        fresh = f"{name}_{next(self._numbers)}"
        fields = {
            "topic": fresh,
            "defaultTopic": "TBW102",
            "readQueueNums": queues,
            "writeQueueNums": queues,
            "perm": 6,
            "topicFilterType": "SINGLE_TAG",
            "topicSysFlag": 0,
            "order": "false",
            "attributes": f"+message.type={kind}",
        }
        remoting(self.broker.port, CREATE_TOPIC, fields)
        return fresh

    def create_group(self, name: str = "group", *, orderly: bool = False, retries: int = 16) -> str:
        """Create a consumer group, a new one at each call (NAME_1, NAME_2, …), and give its name.

        `orderly` is for topics of the kind FIFO; after `retries` more deliveries a message goes to `%DLQ%` and the name.
        """
        fresh = f"{name}_{next(self._numbers)}"
        group = {
            "groupName": fresh,
            "consumeEnable": True,
            "consumeFromMinEnable": True,
            "consumeBroadcastEnable": True,
            "consumeMessageOrderly": orderly,
            "retryQueueNums": 1,
            "retryMaxTimes": retries,
            "brokerId": 0,
            "whichBrokerWhenConsumeSlowly": 1,
            "notifyConsumerIdsChangedEnable": True,
        }
        remoting(self.broker.port, CREATE_GROUP, body=json.dumps(group).encode())
        return fresh

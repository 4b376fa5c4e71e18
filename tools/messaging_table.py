"""Write the table of brokers and features into the page of messaging, from what the adapters say of themselves.

With --check: fail when the page says anything else.
"""

from __future__ import annotations

import sys
from pathlib import Path

from qiantang.messaging.adapters import activemq, kafka, memory, rabbitmq, rocketmq, sql
from qiantang.messaging.client.assisting.broker import BY_CLIENT, BY_MEMORY, BY_STORE
from qiantang.messaging.model import Resource
from qiantang.messaging.port import Capabilities, Feature

PAGE = Path(__file__).parent.parent / "docs" / "capabilities" / "messaging.md"
BEGIN, END = "<!-- table of brokers: tools/messaging_table.py -->\n", "<!-- end of the table -->\n"
CONFIGURED = "priorities=true&scheduler=true"
WORDS = {
    Feature.TAGS: "tags leave out what is not asked for",
    Feature.ORDER: "order by key",
    Feature.DELAY: "delayed until a time, of any span",
    Feature.PRIORITY: "priority 0 to 9",
    Feature.EXPIRY: "ages (ttl)",
    Feature.LATER: "another attempt later, its key waiting",
    Feature.CANCEL: "a delayed message taken back",
    Feature.BROADCAST: "replies and broadcasts: groups that end with their process",
}


def brokers() -> dict[str, Capabilities]:
    """Give what each broker does by itself."""
    rabbit = "amqp://guest@localhost/"
    made = {
        "memory": memory.make(Resource(name="one", url="memory://table")),
        "SQL": sql.make(Resource(name="one", url="sqlite:///table")),
        "Kafka": kafka.make(Resource(name="one", url="kafka://localhost")),
        "RabbitMQ": rabbitmq.make(Resource(name="one", url=rabbit)),
        "RabbitMQ, quorum": rabbitmq.make(Resource(name="one", url=f"{rabbit}?queue_type=quorum")),
        "RocketMQ": rocketmq.make(Resource(name="one", url="rocketmq://localhost")),
        "ActiveMQ": activemq.make(Resource(name="one", url="stomp://localhost")),
        "ActiveMQ, configured": activemq.make(Resource(name="one", url=f"stomp://localhost?{CONFIGURED}")),
    }
    return {name: broker.capabilities for name, broker in made.items()}


def who(feature: Feature, capabilities: Capabilities) -> str:
    """Say who provides a feature."""
    if feature in capabilities.native:
        return "broker"
    if feature in BY_CLIENT:
        return "client"
    if feature in BY_MEMORY:
        return "store, or memory"
    return "store" if feature in BY_STORE else "no"


def table() -> str:
    """Give the table as Markdown."""
    found = brokers()
    lines = [f"| | {' | '.join(found)} |", f"|---|{'---|' * len(found)}"]
    for feature, words in WORDS.items():
        lines.append(f"| {words} | {' | '.join(who(feature, one) for one in found.values())} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write or check the page."""
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    wanted = before + BEGIN + "\n" + table() + "\n" + END + after
    if "--check" in sys.argv:
        if page != wanted:
            print(f"{PAGE} is not what the adapters say: run tools/messaging_table.py", file=sys.stderr)
        return int(page != wanted)
    PAGE.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())

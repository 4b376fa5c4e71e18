/// <reference lib="webworker" />
import { Events } from "./events";

/** One stream for all pages of a browser: each says its topics, and hears every event of theirs. */
interface Port {
  port: MessagePort;
  topics: string[];
  seen: number;
}

const scope = self as unknown as SharedWorkerGlobalScope;
const ports = new Set<Port>();
const GONE_MS = 60_000;

const tell = (message: unknown): void => {
  for (const one of ports) one.port.postMessage(message);
};

const events = new Events(
  new URL(scope.name).toString(),
  (event) => tell({ event }),
  (health) => tell({ health }),
);

const follow = (): void => events.follow([...ports].flatMap((one) => one.topics));

scope.onconnect = (connect) => {
  const port = connect.ports[0];
  if (!port) return;
  const mine: Port = { port, topics: [], seen: Date.now() };
  ports.add(mine);
  port.onmessage = (message: MessageEvent<{ topics?: string[]; gone?: boolean }>) => {
    mine.seen = Date.now();
    if (message.data.gone) ports.delete(mine);
    else if (message.data.topics) mine.topics = message.data.topics;
    follow();
  };
  port.start();
  port.postMessage({ health: events.now });
};

// a page that went away without a word is forgotten: pages say their topics every twenty seconds
setInterval(() => {
  for (const one of ports) if (Date.now() - one.seen > GONE_MS) ports.delete(one);
  follow();
}, 20_000);

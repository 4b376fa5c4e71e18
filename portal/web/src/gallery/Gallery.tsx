import { useMemo, useState, type ReactNode } from "react";
import {
  Button, Copy, CommandLine, Count, DataTable, Empty, EnvTag, ErrorState, Facts, Forbidden, Glyph, Icon, Kbd, Mark, NoMatch, Note, PageHead,
  Person, Reading, Ref, Skeleton, StatusTag, Strip, Tabs, Time, useWidthBelow,
} from "../kit";
import { Check, Choice, ManyChoice, NumberInput, Pick, Toggle } from "../kit/Inputs";
import {
  Canary, ChangeList, CodeEditor, LiveTail, Origin, PathGraph, ReleaseLine, Ring, SchemaForm, Secret, Sparkline, Steps, StripPlot, Tail, TextDiff, TimeSeries, Twin,
  type Value,
} from "../kit/parts";
import { Field, SearchInput, TextInput } from "../kit/Texts";
import { AFTER, BEFORE, changes, HOSTILE, hugeAfter, hugeBefore, inRate, instances, lag, LONG, NOW, outRate, points, rule, schema, times } from "./samples";
import { useGalleryText } from "./texts";
import "./gallery.css";

function Shown({ title, size = "", children }: { title: string; size?: "" | "third" | "two-thirds" | "wide"; children: ReactNode }): ReactNode {
  return (
    <section className={`g-pane${size ? ` g-${size}` : ""}`}>
      <h2>{title}</h2>
      <div>{children}</div>
    </section>
  );
}

/** Every component of the kit in each of its states: what pictures and checks of accessibility are taken of. */
export default function Gallery(): ReactNode {
  const say = useGalleryText();
  return (
    <div className="g-page">
      <header className="g-top">
        <h1>{say("title")}</h1>
        <span className="k-quiet">{say("note")}</span>
      </header>
      <main className="g-panes">
        <States />
        <Basics />
        <Tables />
        <Editors />
        <Publishing />
        <Watching />
      </main>
    </div>
  );
}

function States(): ReactNode {
  const say = useGalleryText();
  const nothing = (): void => undefined;
  return (
    <>
      <Shown title={say("emptyYet")} size="third">
        <Empty title={say("noSchedules")} cli="qiantang apply -f settle-daily.yaml" actions={<><Button kind="primary" icon="plus" keys="C">{say("newSchedule")}</Button><Button>{say("loadSample")}</Button></>}>
          {say("noSchedulesDetail")}
        </Empty>
      </Shown>
      <Shown title={say("emptyMatch")} size="third">
        <NoMatch title={say("noKey")} onClear={nothing} more={<Button kind="quiet">{say("searchAll")}</Button>}>{say("noKeyDetail")}</NoMatch>
      </Shown>
      <Shown title={say("forbidden")} size="third">
        <Forbidden title={say("cannotRead")} actions={<><Button kind="primary">{say("request")}</Button><Button>{say("showWhy")}</Button></>}>{say("cannotReadDetail")}</Forbidden>
      </Shown>
      <Shown title={say("error")} size="third">
        <ErrorState failure={{ title: say("silent"), detail: say("silentDetail"), code: "messaging.broker_unreachable", requestId: "01JD9T7M3K8QZ", problems: [{ path: "brokers[0]", message: "connection refused", line: 3, column: 12 }] }} onRetry={nothing} />
      </Shown>
      <Shown title={say("partial")} size="third">
        <div className="g-pad g-full">
          <Note hue="warn" title={say("answered")} actions={<Button size="small" kind="quiet">{say("askAgain")}</Button>}>{say("answeredDetail")}</Note>
          <Facts
            items={[
              [<span key="n" className="k-mono">node-1…3</span>, <span key="v" className="k-row"><Count value={1248} /> <StatusTag hue="ok">{say("ok")}</StatusTag></span>],
              [<span key="n" className="k-mono">node-4</span>, <span key="v" className="k-row">{say("unknown")} <StatusTag hue="bad">{say("timeout")}</StatusTag></span>],
              [<span key="n" className="k-mono">node-5</span>, <span key="v" className="k-row">{say("unknown")} <StatusTag hue="idle">{say("draining")}</StatusTag></span>],
            ]}
          />
        </div>
      </Shown>
      <Shown title={say("stale")} size="third">
        <div className="g-pad g-full">
          <span className="g-row"><StatusTag hue="warn" boxed>{say("lost")}</StatusTag> <span className="k-quiet">{say("lostDetail")}</span></span>
        </div>
        <Reading what={say("readingWhat")} />
        <Skeleton rows={4} />
      </Shown>
    </>
  );
}

function Basics(): ReactNode {
  const say = useGalleryText();
  const [name, setName] = useState("-order");
  const [words, setWords] = useState("");
  const [rate, setRate] = useState<number | null>(120);
  const [zone, setZone] = useState("hz-a");
  const [zones, setZones] = useState(["hz-a", "hz-b"]);
  const [on, setOn] = useState(true);
  const [pick, setPick] = useState<"a" | "b">("a");
  return (
    <>
      <Shown title={say("buttons")}>
        <div className="g-pad">
          <span className="g-row">
            <Button kind="primary" keys="S">{say("save")}</Button>
            <Button kind="production" keys="P">{say("widen")}</Button>
            <Button icon="history" keys="H">{say("history")}</Button>
            <Button kind="danger" icon="undo">{say("abort")}</Button>
            <Button kind="quiet" icon="diff">{say("stepDiff")}</Button>
          </span>
          <span className="g-row">
            <Button icon="lock" disabled reason={say("lockedWhy")}>{say("locked")}</Button>
            <span className="k-quiet">{say("lockedWhy")}</span>
            <Button busy>{say("busy")}</Button>
            <Button size="small">{say("history")}</Button>
            <Button size="small" icon="more" label={say("history")} />
            <Kbd keys="⌘ K" />
          </span>
          <CommandLine line="qiantang config publish order-service --env prod --canary 50%" />
        </div>
      </Shown>
      <Shown title={say("statuses")}>
        <div className="g-pad">
          <span className="g-row">
            <StatusTag hue="ok">{say("applied")}</StatusTag>
            <StatusTag hue="warn">{say("degraded")}</StatusTag>
            <StatusTag hue="bad">{say("refused")}</StatusTag>
            <StatusTag hue="info" running>{say("running")}</StatusTag>
            <StatusTag hue="info">{say("draft")}</StatusTag>
            <StatusTag hue="idle">{say("superseded")}</StatusTag>
          </span>
          <span className="g-row">
            <StatusTag hue="ok" boxed>{say("applied")}</StatusTag>
            <StatusTag hue="warn" boxed>{say("degraded")}</StatusTag>
            <StatusTag hue="bad" boxed>{say("refused")}</StatusTag>
            <StatusTag hue="info" running boxed>{say("running")}</StatusTag>
            <StatusTag hue="idle" boxed>{say("superseded")}</StatusTag>
          </span>
          <span className="g-row">
            <EnvTag name="prod" protected_ /> <EnvTag name="staging" /> <Mark kind="add" /> <Mark kind="change" /> <Mark kind="remove" /> <Person name="Lin Yue" /> <Person name="陈伟" /> <Person name="" /> <Time at={NOW} exact /> <Time at={0} /> <Count value={undefined} /> <Copy text="r129" />
          </span>
        </div>
      </Shown>
      <Shown title={say("inputs")}>
        <div className="g-pad g-full">
          <div className="g-two">
            <Field label={say("name")} error={name.startsWith("-") ? say("nameWrong") : undefined} hint={say("nameHint")} required>{(ids) => <TextInput {...ids} mono value={name} onChange={setName} />}</Field>
            <Field label={say("amount")} hint="1 – 1000">{(ids) => <NumberInput {...ids} value={rate} onChange={setRate} unit="/s" />}</Field>
            <Field label={say("zone")}>{(ids) => <Choice {...ids} value={zone} onChange={setZone} options={["hz-a", "hz-b", "sh-c"].map((one) => ({ value: one, label: one }))} />}</Field>
            <Field label={say("zone")}>{(ids) => <ManyChoice {...ids} value={zones} onChange={setZones} options={["hz-a", "hz-b", "sh-c"].map((one) => ({ value: one, label: one }))} />}</Field>
          </div>
          <span className="g-row">
            <SearchInput value={words} onChange={setWords} label={say("searchAll")} />
            <Toggle aria-label={say("secretsOn")} checked={on} onChange={setOn} />
            <Check checked={on} onChange={setOn}>{say("secretsOn")}</Check>
            <Pick value={pick} onChange={setPick} label={say("state")} options={[{ value: "a", label: say("applied") }, { value: "b", label: say("waiting") }]} />
          </span>
        </div>
      </Shown>
      <Shown title={say("page")}>
        <PageHead
          crumbs={[{ label: say("config"), to: "/" }, { label: "order-service" }]}
          title="order-service"
          mono
          tags={<><StatusTag hue="ok" boxed>r128</StatusTag><StatusTag hue="info" running boxed>{say("running")}</StatusTag></>}
          actions={<Button icon="history">{say("history")}</Button>}
        />
        <Tabs label={say("page")} active="config" items={[{ key: "overview", label: say("overview"), to: "/" }, { key: "instances", label: say("instances"), to: "/", count: 68 }, { key: "config", label: say("config"), to: "/", count: 86 }]} />
        <Strip
          label={say("page")}
          figures={[
            { key: "in", label: say("produced"), value: "1,842", unit: "/s" },
            { key: "lag", label: say("lag"), value: "12,480", status: <StatusTag hue="warn">{say("growing")}</StatusTag> },
            { key: "bad", label: say("failures"), value: 37, status: <StatusTag hue="bad">{say("refused")}</StatusTag> },
          ]}
        />
      </Shown>
      <Shown title={say("notes")}>
        <div className="g-pad g-full">
          {(["ok", "warn", "bad", "info", "idle"] as const).map((hue) => <Note key={hue} hue={hue} title={hue}>{say("noteText")}</Note>)}
        </div>
      </Shown>
      <Shown title={say("changes")}><div className="g-pad g-full"><ChangeList label={say("changes")} changes={changes} /></div></Shown>
      <Shown title={say("hostile")} size="wide">
        <div className="g-pad g-full">
          <Ref name={HOSTILE} kind="key" mono to="/" />
          <StatusTag hue="bad" boxed>{LONG}</StatusTag>
          <Facts items={[[HOSTILE, HOSTILE], [LONG, LONG]]} />
          <ChangeList label={say("hostile")} changes={[{ path: LONG, action: "change", before: HOSTILE, after: LONG }, { path: HOSTILE, action: "add", after: "\u202eright to left\u202c\u0000" }]} />
          <TextDiff before={HOSTILE} after={HOSTILE.replace("x", LONG)} mode="inline" label={say("hostile")} />
          <Steps label={say("hostile")} steps={[{ key: "1", name: HOSTILE, state: "current", count: 1 }]} />
          <Origin label={say("hostile")} levels={[{ key: "1", name: HOSTILE, source: LONG, value: LONG, winner: true }]} />
        </div>
      </Shown>
    </>
  );
}

function Tables(): ReactNode {
  const say = useGalleryText();
  const [open, setOpen] = useState<string>();
  const [chosen, setChosen] = useState<string[]>([]);
  // On a narrow screen rows are drawn one and all.
  const narrow = useWidthBelow(768);
  const rows = useMemo(() => (narrow ? instances.slice(0, 60) : instances), [narrow]);
  return (
    <Shown title={say("table")} size="wide">
      <div className="g-tall">
      <DataTable
        label={say("table")}
        name="gallery"
        rows={rows}
        rowKey={(row) => row.key}
        rowName={(row) => row.address}
        height={280}
        openKey={open}
        onOpen={(row) => setOpen(row.key)}
        selected={chosen}
        onSelect={setChosen}
        bulk={<Button size="small">{say("history")}</Button>}
        rowHue={(row) => (row.state === "refused" ? "bad" : undefined)}
        empty={<Empty title={say("noRows")} />}
        columns={[
          { key: "instance", title: say("instance"), names: true, width: 180, render: (row) => <span className="k-mono">{row.address}</span> },
          { key: "zone", title: say("zone"), width: 90, render: (row) => row.zone },
          { key: "runs", title: say("runs"), width: 90, render: (row) => <span className="k-mono">{row.revision}</span> },
          { key: "took", title: say("took"), width: 110, align: "right", sortable: true, render: (row) => (row.took === null ? "—" : `${row.took} ms`) },
          { key: "state", title: say("state"), width: 120, render: (row) => <StatusTag hue={row.state === "applied" ? "ok" : row.state === "refused" ? "bad" : "idle"}>{say(row.state)}</StatusTag> },
          { key: "callback", title: say("callback"), render: (row) => <span className="k-mono">{row.callback}</span> },
        ]}
      />
      </div>
    </Shown>
  );
}

const JSON_TEXT = `{
  "max_attempts": 3,
  "backoff": "exponential",
  "initial_ms": "200ms",
  "jitter": 0.2
}`;
const YAML_TEXT = `# limits of the stock service
stock.reserve:
  qps: 520
  burst: 60
  on_limit: reject # or queue
  zones: [hz-a, "hz-b"]
`;

function Editors(): ReactNode {
  const say = useGalleryText();
  const [text, setText] = useState(JSON_TEXT);
  const [value, setValue] = useState<Value>(rule);
  const [other, setOther] = useState<Value>(rule);
  const problems = useMemo(() => (text === JSON_TEXT ? [{ line: 4, column: 17, message: say("initialMs") }] : []), [text, say]);
  const wrong = useMemo(() => [{ path: "$.kind.rate", message: say("ruleWrong") }], [say]);
  return (
    <>
      <Shown title={say("code")}><div className="g-code"><CodeEditor value={text} onChange={setText} language="json" label={say("code")} problems={problems} fill /></div></Shown>
      <Shown title={say("codeYaml")}><div className="g-code"><CodeEditor value={YAML_TEXT} language="yaml" label={say("codeYaml")} readOnly fill /></div></Shown>
      <Shown title={say("split")} size="wide"><TextDiff before={BEFORE} after={AFTER} mode="split" label={say("split")} beforeTitle={<><span className="k-mono">r128</span> Chen Wei</>} afterTitle={<><span className="k-mono">r129</span> Lin Yue</>} /></Shown>
      <Shown title={say("inline")}><TextDiff before={BEFORE} after={AFTER} mode="inline" label={say("inline")} /></Shown>
      <Shown title={say("huge")}><div className="g-tall" tabIndex={0} role="region" aria-label={say("huge")}><TextDiff before={hugeBefore} after={hugeAfter} mode="inline" label={say("huge")} /></div></Shown>
      <Shown title={say("form")}><div className="g-pad g-full"><Twin schema={schema} value={value} onChange={setValue} problems={wrong} label={say("form")} language="yaml" /></div></Shown>
      <Shown title={`${say("formRead")} · ${say("sourceBroken")}`}><div className="g-pad g-full"><SchemaForm schema={schema} value={rule} onChange={() => undefined} readOnly label={say("formRead")} /><Twin schema={schema} value={other} onChange={setOther} label={say("sourceBroken")} text={'{\n  "name": "stock.reserve",\n  "kind": bucket\n}'} mode="source" /></div></Shown>
    </>
  );
}

function Publishing(): ReactNode {
  const say = useGalleryText();
  const [next, setNext] = useState(50);
  const [chosen, setChosen] = useState("r127");
  const shares = (waiting?: number) => [
    { key: "applied", word: say("applied"), hue: "ok" as const, ...(waiting === undefined ? {} : { count: waiting === 0 ? 0 : 4102 }) },
    { key: "refused", word: say("refused"), hue: "bad" as const, ...(waiting === undefined ? {} : { count: waiting === 0 ? 0 : 14 }) },
    { key: "waiting", word: say("waiting"), hue: "idle" as const, ...(waiting === undefined ? {} : { count: waiting }) },
  ];
  const ring = points.map((point, place) => ({ key: point.key, name: point.name, share: point.ms === null ? "refused" : place > 14 ? "waiting" : "applied" }));
  return (
    <>
      <Shown title={say("ring")} size="third"><div className="g-pad"><Ring shares={shares()} instances={ring} caption={say("appliedRev")} /></div></Shown>
      <Shown title={say("ringMany")} size="third"><div className="g-pad"><Ring shares={shares(94)} caption={say("appliedRev")} /></div></Shown>
      <Shown title={say("ringNone")} size="third"><div className="g-pad"><Ring shares={shares(0)} caption={say("appliedRev")} /></div></Shown>
      <Shown title={say("strip")}><div className="g-pad g-full"><StripPlot points={points} label={say("strip")} /><span className="k-quiet">{say("stripNote")}</span></div></Shown>
      <Shown title={say("canary")}>
        <div className="g-pad g-full">
          <Canary total={68} live={25} next={next} onChange={setNext} label={say("canary")} title={say("canary")} note={say("sticky")} />
          <Canary total={68} live={100} next={100} label={say("canary")} />
          <Secret label="order.mysql.password" onReveal={() => Promise.resolve("correct horse battery staple")} hash="a91f" />
          <Secret label="order.redis.password" onReveal={() => Promise.reject(new Error("identity.denied"))} />
          <Secret label="order.kafka.password" reason={say("secretNo")} />
        </div>
      </Shown>
      <Shown title={say("steps")} size="wide">
        <div className="g-pad">
          <Steps
            label={say("steps")}
            steps={[
              { key: "1", name: say("stepDraft"), state: "done", count: 7 },
              { key: "2", name: say("stepCheck"), state: "done", count: "9/9" },
              { key: "3", name: say("stepDiff"), state: "done", count: 3, onSelect: () => undefined },
              { key: "4", name: say("stepApprove"), state: "done", count: "2/2" },
              { key: "5", name: say("stepCanary"), state: "current", count: 17 },
              { key: "6", name: say("stepAll"), state: "future", count: 68 },
            ]}
          />
          <Steps label={`${say("steps")} 2`} steps={[{ key: "1", name: say("stepCheck"), state: "failed", count: "8/9" }, { key: "2", name: say("stepApprove"), state: "waiting", count: "1/2" }]} />
        </div>
      </Shown>
      <Shown title={say("origin")} size="third">
        <div className="g-pad g-full">
          <Origin
            label={say("origin")}
            levels={[
              { key: "default", name: say("oDefault"), source: say("oCode") },
              { key: "public", name: say("oPublic"), source: "r9", value: "3 / fixed" },
              { key: "app", name: say("oApp"), source: "r96", value: "3 / exponential", winner: true },
              { key: "env", name: say("oEnv") },
              { key: "cluster", name: say("oCluster") },
              { key: "draft", name: say("oDraft"), source: say("oWho"), status: <StatusTag hue="bad">{say("oFailed")}</StatusTag>, hue: "bad" },
            ]}
          />
        </div>
      </Shown>
      <Shown title={say("releases")} size="two-thirds">
        <ReleaseLine
          label={say("releases")}
          selected={chosen}
          onSelect={setChosen}
          releases={[
            { key: "r129", kind: "gray", name: "r129", title: say("r129"), meta: <><StatusTag hue="info" running>{say("running")}</StatusTag> 16/17</> },
            { key: "r128", kind: "current", name: "r128", title: say("r128"), meta: "68/68" },
            { key: "r127", kind: "past", name: "r127", title: say("r127"), meta: "68/68" },
            { key: "r126", kind: "past", name: "r126", title: HOSTILE, meta: "28/28" },
            { key: "r125", kind: "aborted", name: "r125", title: say("r125"), meta: "7/7" },
            { key: "r121", kind: "failed", name: "r121", title: say("r121"), meta: "63/66" },
            { key: "r120", kind: "past", name: "r120", title: say("r120"), meta: "66/66" },
          ]}
        />
      </Shown>
    </>
  );
}

interface Message {
  at: string;
  queue: string;
  key: string;
  text: string;
  failed: boolean;
}

const message = (place: number): Message => ({
  at: `45:${String(10 + (place % 50)).padStart(2, "0")}.${String((place * 37) % 1000).padStart(3, "0")}`,
  queue: `q${place % 12}`,
  key: String(900718820000 + place),
  text: place % 97 === 0 ? HOSTILE : `items ${1 + (place % 12)} ¥ ${((place * 7.3) % 4000).toFixed(2)}`,
  failed: place % 31 === 0,
});

function Watching(): ReactNode {
  const say = useGalleryText();
  const tail = useMemo(() => {
    const made = new Tail<Message>();
    made.push(Array.from({ length: 6000 }, (_, place) => message(place)));
    return made;
  }, []);
  const none = useMemo(() => new Tail<Message>(), []);
  const graph = useMemo(
    () => ({
      nodes: [
        { key: "p", name: "lin.yue", note: say("person"), icon: "person" as const },
        { key: "g1", name: "trade-core", note: say("group"), icon: "people" as const },
        { key: "g2", name: "on-call-with-a-long-name", note: say("group"), icon: "people" as const },
        { key: "r1", name: "Developer", note: say("role"), icon: "role" as const },
        { key: "r2", name: "Releaser", note: say("role"), icon: "role" as const, hue: "warn" as const, word: say("expired") },
        { key: "x", name: "config.item:publish", note: say("permission"), icon: "key" as const, hue: "ok" as const, word: say("applied") },
      ],
      edges: [
        { from: "p", to: "g1", label: say("member") },
        { from: "p", to: "g2", label: say("member") },
        { from: "g1", to: "r1", label: say("holds") },
        { from: "g2", to: "r2", label: say("expired"), hue: "warn" as const, dashed: true },
        { from: "r1", to: "x", label: say("gives") },
        { from: "r2", to: "x", dashed: true },
        { from: "p", to: "x", dashed: true },
      ],
    }),
    [say],
  );
  const [node, setNode] = useState("r1");
  const columns = [
    { key: "at", width: 76, quiet: true, render: (row: Message) => row.at },
    { key: "queue", width: 28, quiet: true, render: (row: Message) => row.queue },
    { key: "key", width: 92, render: (row: Message) => row.key },
    { key: "text", render: (row: Message) => row.text },
  ];
  const body = (row: Message): ReactNode => <pre>{JSON.stringify(row, null, 2)}</pre>;
  return (
    <>
      <Shown title={say("series")}>
        <div className="g-pad g-full">
          <TimeSeries
            label={say("rate")}
            title={say("rate")}
            sync="gallery"
            times={times}
            series={[{ key: "in", label: say("inRate"), values: inRate }, { key: "out", label: say("outRate"), values: outRate, dashed: true }]}
            marks={[{ at: times[74]!, label: "billing r64" }, { at: times[112]!, label: "r129", hue: "info" }]}
          />
          <TimeSeries label={say("lag")} title={say("lag")} sync="gallery" area times={times} series={[{ key: "lag", label: say("lag"), values: lag }]} threshold={{ value: 9200, label: say("threshold") }} marks={[{ at: times[74]!, label: "billing r64" }]} />
        </div>
      </Shown>
      <Shown title={say("sparks")}>
        <div className="g-pad">
          <span className="g-row">
            <Sparkline values={inRate} label={say("inRate")} format={(value) => String(Math.round(value))} />
            <Sparkline values={lag} label={say("lag")} hue="warn" format={(value) => String(Math.round(value))} />
            <Sparkline values={[5]} label={say("lag")} />
            <Sparkline values={[null]} label={say("none")} />
            <Glyph hue="info" running /> <Icon name="clock" />
          </span>
          <TimeSeries label={say("none")} title={say("none")} times={[]} series={[]} height={60} />
        </div>
      </Shown>
      <Shown title={say("tail")}>
        <LiveTail tail={tail} columns={columns} textOf={(row) => `${row.at} ${row.queue} ${row.key} ${row.text}`} hueOf={(row) => (row.failed ? { hue: "bad", word: say("refused") } : undefined)} label={say("tail")} title={say("tail")} budget={200} sampled={11} body={body} actions={<Button size="small" onClick={() => tail.push(Array.from({ length: 318 }, (_, place) => message(tail.total + place)))}>+318</Button>} />
      </Shown>
      <Shown title={say("tailEmpty")}>
        <LiveTail tail={none} columns={columns} textOf={(row) => row.text} label={say("tailEmpty")} title={say("tailEmpty")} state="lost" height={220} />
      </Shown>
      <Shown title={say("graph")} size="wide">
        <PathGraph label={say("graph")} nodes={graph.nodes} edges={graph.edges} selected={node} onSelect={setNode} />
      </Shown>
    </>
  );
}

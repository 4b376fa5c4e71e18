import type { ReactNode } from "react";
import { asCurl, failureOf, useRead, type Setting } from "../api";
import { DataTable, ErrorState, Facts, FilterBar, Forbidden, Icon, NoMatch, PageHead, Peek, Pick, SearchInput, StatusTag, type Column } from "../kit";
import { Marked, useMeaning, usePage, useQueryState, useQueryStates, useText } from "../shell";

const LIST = "GET /api/v1/platform/settings";
const keyOf = (one: Setting): string => `${one.section}.${one.key}`;
const isChanged = (one: Setting): boolean => one.source !== "default" && one.source !== "";

/** The settings of the server that answers, with where each comes from; those that were changed come first. */
export function Settings(): ReactNode {
  const say = useText("platform");
  const meaning = useMeaning();
  const [query, change] = useQueryStates();
  const [words, setWords] = useQueryState("words");
  const [only, setOnly] = useQueryState("show", "all");
  const found = useRead(LIST);
  const wanted = words.trim().toLowerCase();
  const rows = found.data
    ?.map((one) => ({ ...one, description: meaning(`setting.${keyOf(one)}`, one.description) }))
    .filter((one) => (only === "changed" ? isChanged(one) : true) && `${keyOf(one)} ${one.description} ${one.secret ? "" : one.value}`.toLowerCase().includes(wanted))
    .sort((one, other) => Number(isChanged(other)) - Number(isChanged(one)) || keyOf(one).localeCompare(keyOf(other)));
  const changed = found.data?.filter(isChanged).length;
  const open = rows?.find((one) => keyOf(one) === query.get("peek"));
  usePage({ title: say("settings.title"), cli: "qiantang settings", api: asCurl(LIST, {}), readAt: found.dataUpdatedAt });
  const columns: Column<Setting>[] = [
    { key: "key", title: say("settings.key"), names: true, width: 260, render: (row) => <code className="k-ellipsis" title={keyOf(row)}><span className="k-quiet">{row.section}.</span><Marked text={row.key} words={words} /></code> },
    { key: "value", title: say("settings.value"), width: 170, render: (row) => <Value setting={row} /> },
    { key: "default", title: say("settings.default"), width: 120, render: (row) => <code className="k-ellipsis k-quiet" title={row.default}>{row.default === "" ? "—" : row.default}</code> },
    { key: "source", title: say("settings.source"), width: 150, render: (row) => (isChanged(row) ? <StatusTag hue="info">{row.source}</StatusTag> : <span className="k-quiet">{row.source || "—"}</span>) },
    { key: "meaning", title: say("settings.meaning"), width: 500, render: (row) => <span className="k-ellipsis" title={row.description}>{row.description || "—"}</span> },
  ];
  if (found.error?.status === 403 || found.error?.status === 404) return <Forbidden title={say("settings.forbidden")}>{say("needs", { permission: "platform.setting:list" })} {say("who")}</Forbidden>;
  return (
    <>
      <PageHead title={say("settings.title")} note={say("settings.note")} />
      <FilterBar right={rows && say("settings.shown", { count: rows.length, total: found.data?.length })}>
        <SearchInput value={words} onChange={setWords} label={say("settings.filter")} />
        <Pick label={say("settings.show")} value={only === "changed" ? "changed" : "all"} onChange={setOnly} options={[{ value: "all", label: say("settings.all") }, { value: "changed", label: say("settings.changed", { count: changed ?? "—" }) }]} />
      </FilterBar>
      {found.error && !found.data ? (
        <ErrorState failure={failureOf(found.error, say("settings.unreadable"))} onRetry={() => void found.refetch()} />
      ) : (
        <DataTable
          label={say("settings.title")}
          name="settings"
          rows={rows}
          rowKey={keyOf}
          columns={columns}
          onOpen={(row) => change({ peek: keyOf(row) })}
          openKey={open && keyOf(open)}
          empty={<NoMatch title={say("settings.noMatch")} onClear={() => change({ words: "", show: "" })}>{say("settings.searched")}</NoMatch>}
        />
      )}
      <Peek open={open !== undefined} onClose={() => change({ peek: "" })} title={<code>{open && keyOf(open)}</code>}>
        {open && (
          <div className="k-stack">
            <p>{open.description}</p>
            <Facts
              items={[
                [say("settings.value"), <Value key="value" setting={open} />],
                [say("settings.default"), <code key="default">{open.default === "" ? "—" : open.default}</code>],
                [say("settings.source"), open.source || "—"],
                [say("settings.takes"), open.type],
                [say("settings.variable"), <code key="variable">{`QIANTANG_${open.section}_${open.key}`.toUpperCase().replaceAll(".", "_")}</code>],
              ]}
            />
          </div>
        )}
      </Peek>
    </>
  );
}

function Value({ setting }: { setting: Setting }): ReactNode {
  const say = useText("platform");
  if (setting.secret) {
    return (
      <span className="k-row">
        <Icon name="lock" size={12} />
        <code>{setting.value || "—"}</code>
        <span className="k-hidden">{say("settings.secret")}</span>
      </span>
    );
  }
  return <code className="k-ellipsis" title={setting.value}>{setting.value === "" ? "—" : setting.value}</code>;
}

import type { ReactNode } from "react";
import { TextDiff } from "../kit/parts";

/** Two texts of one resource. */
export function Lines({ before, after, view, name }: { before: string; after: string; view: "split" | "inline"; name: string }): ReactNode {
  return <TextDiff before={before} after={after} mode={view} label={name} />;
}

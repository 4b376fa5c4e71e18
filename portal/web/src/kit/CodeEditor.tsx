import { lazy, Suspense, type ReactNode, type Ref } from "react";
import { usePartWords } from "./parts.words";
import "./parts.css";

export type CodeLanguage = "json" | "yaml" | "toml" | "properties" | "text";

export interface CodeProblem {
  /** From 1, as people count. */
  line: number;
  column: number;
  message: string;
}

export interface CodeHandle {
  /** Put the cursor at a place, show it, and give the editor the focus. */
  goTo: (line: number, column: number) => void;
  focus: () => void;
}

export interface CodeEditorProps {
  value: string;
  onChange?: ((value: string) => void) | undefined;
  language: CodeLanguage;
  problems?: CodeProblem[] | undefined;
  readOnly?: boolean;
  /** Name for screen readers. */
  label: string;
  /** Pixels, where it does not fill what is around it; without either it grows with its text up to 480. */
  height?: number;
  fill?: boolean;
  /** Mod-Enter and Mod-s. */
  onSave?: () => void;
  onEscape?: () => void;
  autoFocus?: boolean;
  onCursor?: (line: number, column: number) => void;
  ref?: Ref<CodeHandle>;
}

const Editor = lazy(() => import("./codemirror"));

/** An editor of code with line numbers, search and marked problems; it is loaded when the first one is shown. */
export function CodeEditor(props: CodeEditorProps): ReactNode {
  const { height, fill = false, value } = props;
  const say = usePartWords();
  const rows = Math.min(24, value.split("\n", 25).length);
  const style = fill ? undefined : height === undefined ? { minHeight: 28, maxHeight: 480 } : { height };
  return (
    <div className={`kp-code${fill ? " kp-code-fill" : ""}`} style={style}>
      <Suspense
        fallback={
          <div className="kp-code-waiting" role="status" style={height === undefined && !fill ? { minHeight: rows * 20 + 8 } : undefined}>
            <span className="k-spinner" aria-hidden="true" /> {say("readingEditor")}
          </div>
        }
      >
        <Editor {...props} />
      </Suspense>
    </div>
  );
}

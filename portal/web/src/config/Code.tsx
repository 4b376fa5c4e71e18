import type { ReactNode, Ref } from "react";
import { CodeEditor, type CodeHandle, type CodeProblem } from "../kit/parts";
import type { Format } from "./body";

export interface CodeProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  format: Format;
  problems: CodeProblem[];
  readOnly?: boolean;
  /** Fill what is around it. */
  fill?: boolean;
  onSave: () => void;
  onEscape?: () => void;
  autoFocus?: boolean;
  onCursor?: (line: number, column: number) => void;
  ref?: Ref<CodeHandle>;
}

/** A text in one of the formats, with what is wrong where it is wrong. */
export function Code({ format, ...rest }: CodeProps): ReactNode {
  return <CodeEditor {...rest} language={format} />;
}

import { phrases } from "./codemirror.words";
import { pageNonce } from "./theme";
import { defaultKeymap, history, historyKeymap, indentLess, indentMore } from "@codemirror/commands";
import { bracketMatching, HighlightStyle, indentOnInput, StreamLanguage, syntaxHighlighting, type StreamParser } from "@codemirror/language";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { Annotation, Compartment, EditorState, StateEffect, StateField, type Extension, type Text } from "@codemirror/state";
import { Decoration, drawSelection, EditorView, gutter, GutterMarker, highlightActiveLine, highlightSpecialChars, keymap, lineNumbers, type DecorationSet } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useId, useImperativeHandle, useRef, type ReactNode } from "react";
import type { CodeEditorProps, CodeLanguage, CodeProblem } from "./CodeEditor";
import { usePartWords } from "./parts.words";
import { useLanguage } from "./words";

/** A change that came from the page, which needs no telling back. */
const fromPage = Annotation.define<boolean>();
const setProblems = StateEffect.define<CodeProblem[]>();

class ProblemMarker extends GutterMarker {
  constructor(readonly message: string) {
    super();
  }
  override eq(other: ProblemMarker): boolean {
    return other.message === this.message;
  }
  override toDOM(): HTMLElement {
    const mark = document.createElement("span");
    mark.className = "kp-code-glyph";
    mark.title = this.message;
    mark.textContent = "×";
    return mark;
  }
}

interface Marked {
  problems: CodeProblem[];
  drawn: DecorationSet;
}

const problemField = StateField.define<Marked>({
  create: () => ({ problems: [], drawn: Decoration.none }),
  update(marked, transaction) {
    for (const effect of transaction.effects) {
      if (effect.is(setProblems)) return { problems: effect.value, drawn: draw(effect.value, transaction.newDoc) };
    }
    return transaction.docChanged ? { problems: marked.problems, drawn: marked.drawn.map(transaction.changes) } : marked;
  },
  provide: (field) => EditorView.decorations.from(field, (marked) => marked.drawn),
});

/** Where a problem stands: its place, and the word that begins there. */
function placeOf(problem: CodeProblem, document: Text): { from: number; to: number; lineFrom: number } {
  const line = document.line(Math.min(Math.max(1, problem.line), document.lines));
  const from = Math.min(line.from + Math.max(0, problem.column - 1), line.to);
  const rest = line.text.slice(from - line.from);
  const word = /^(?:"(?:[^"\\]|\\.)*"|[^\s,;:{}[\]]+|\S)/.exec(rest)?.[0].length ?? 0;
  if (word > 0) return { from, to: from + word, lineFrom: line.from };
  const back = /\S+\s*$/.exec(line.text)?.[0].length ?? 0;
  return { from: line.to - back, to: line.to, lineFrom: line.from };
}

function draw(problems: CodeProblem[], document: Text): DecorationSet {
  const marks = problems.flatMap((problem) => {
    const { from, to, lineFrom } = placeOf(problem, document);
    const line = Decoration.line({ class: "kp-code-bad", attributes: { title: problem.message } }).range(lineFrom);
    return to > from ? [line, Decoration.mark({ class: "kp-code-wave" }).range(from, to)] : [line];
  });
  return Decoration.set(marks, true);
}

const problemGutter = gutter({
  class: "kp-code-signs",
  lineMarker(view, line) {
    const { drawn, problems } = view.state.field(problemField);
    let found = false;
    drawn.between(line.from, line.from, (from, _to, value) => {
      if (from === line.from && value.spec.class === "kp-code-bad") found = true;
    });
    if (!found) return null;
    const number = view.state.doc.lineAt(line.from).number;
    return new ProblemMarker(problems.filter((problem) => problem.line === number).map((problem) => problem.message).join("\n"));
  },
  lineMarkerChange: (update) => update.startState.field(problemField) !== update.state.field(problemField),
  initialSpacer: () => new ProblemMarker(""),
});

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName), tags.heading], color: "var(--c1)" },
  { tag: [tags.string, tags.special(tags.string), tags.content], color: "var(--c6)" },
  { tag: [tags.number, tags.bool, tags.null, tags.atom, tags.keyword], color: "var(--c2)" },
  { tag: [tags.comment, tags.lineComment], color: "var(--text-3)", fontStyle: "italic" },
  { tag: [tags.punctuation, tags.separator, tags.bracket, tags.operator], color: "var(--text-2)" },
  { tag: [tags.typeName, tags.labelName, tags.meta], color: "var(--c5)" },
  { tag: tags.invalid, color: "var(--bad-text)" },
]);

const look = EditorView.theme({
  "&": { height: "100%", maxHeight: "inherit", backgroundColor: "var(--surface)", color: "var(--text)", fontSize: "12px" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", fontVariantLigatures: "none", lineHeight: "20px", overflow: "auto" },
  ".cm-content": { padding: "4px 0", caretColor: "var(--text)" },
  ".cm-line": { padding: "0 12px 0 6px" },
  ".cm-gutters": { backgroundColor: "var(--surface)", color: "var(--text-3)", border: "none", fontSize: "11px" },
  ".cm-lineNumbers .cm-gutterElement": { minWidth: "28px", padding: "0 6px 0 4px" },
  ".cm-activeLine": { backgroundColor: "transparent" },
  "&.cm-focused .cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--hover) 60%, transparent)" },
  ".cm-cursor, .cm-dropCursor": { borderLeftColor: "var(--text)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "color-mix(in srgb, var(--brand) 28%, transparent)" },
  "& .cm-matchingBracket": { backgroundColor: "transparent" },
  "&.cm-focused .cm-matchingBracket": { backgroundColor: "transparent", outline: "1px solid var(--control)" },
  ".cm-selectionMatch": { backgroundColor: "color-mix(in srgb, var(--brand) 16%, transparent)" },
  ".cm-searchMatch": { backgroundColor: "var(--warn-bg)", outline: "1px solid var(--warn-line)" },
  ".cm-searchMatch-selected": { backgroundColor: "var(--warn-line)" },
});

/** Lines of `name = value` with comments and sections: enough for both formats. */
function lined(kind: "toml" | "properties"): StreamParser<{ value: boolean; block: string }> {
  return {
    name: kind,
    startState: () => ({ value: false, block: "" }),
    token(stream, state) {
      if (state.block) {
        const end = stream.string.indexOf(state.block, stream.pos);
        if (end < 0) stream.skipToEnd();
        else {
          stream.pos = end + 3;
          state.block = "";
        }
        return "string";
      }
      if (stream.sol()) state.value = false;
      if (stream.eatSpace()) return null;
      if (!state.value) {
        if (stream.match(/^[#!].*/)) return "comment";
        if (kind === "toml" && stream.match(/^\[\[?[^\]]*\]\]?/)) return "heading";
        if (stream.match(/^[=:]/)) {
          state.value = true;
          return "operator";
        }
        if (kind === "toml" ? stream.match(/^("[^"]*"|'[^']*'|[\w.-]+)/) : stream.match(/^(\\.|[^\s=:\\])+/)) return "propertyName";
        stream.next();
        return null;
      }
      if (kind === "properties") {
        if (stream.match(/^(true|false|-?\d+(\.\d+)?)\s*$/)) return "number";
        stream.skipToEnd();
        return "string";
      }
      if (stream.match(/^#.*/)) return "comment";
      const block = stream.match(/^("""|''')/) as RegExpMatchArray | null;
      if (block) {
        state.block = block[1]!;
        return "string";
      }
      if (stream.match(/^("([^"\\]|\\.)*"|'[^']*')/)) return "string";
      if (stream.match(/^(true|false)\b/)) return "bool";
      if (stream.match(/^[+-]?\d[\w.:+-]*/)) return "number";
      if (stream.match(/^[{[,\]}]/)) return "punctuation";
      if (stream.match(/^[\w.-]+(?=\s*=)/)) return "propertyName";
      stream.next();
      return null;
    },
  };
}

/** The syntax of a language, each in a chunk of its own. */
async function syntax(language: CodeLanguage): Promise<Extension> {
  if (language === "json") return (await import("@codemirror/lang-json")).json();
  if (language === "yaml") return (await import("@codemirror/lang-yaml")).yaml();
  if (language === "toml" || language === "properties") return StreamLanguage.define(lined(language));
  return [];
}

export default function Editor(props: CodeEditorProps): ReactNode {
  const { value, onChange, language, problems, readOnly = false, label, fill = false, height, onSave, onEscape, autoFocus = false, onCursor, ref } = props;
  const say = usePartWords();
  const spoken = useLanguage();
  const holder = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(null);
  const parts = useRef({ language: new Compartment(), readOnly: new Compartment(), label: new Compartment(), phrases: new Compartment() });
  const act = useRef({ onChange, onSave, onEscape, onCursor });
  act.current = { onChange, onSave, onEscape, onCursor };
  const hint = useId();
  const broken = (problems?.length ?? 0) > 0;
  const named = (): Extension =>
    EditorView.contentAttributes.of({ "aria-label": label, "aria-describedby": hint, tabindex: "0", ...(broken ? { "aria-invalid": "true" } : {}), spellcheck: "false", autocorrect: "off", autocapitalize: "off" });
  const locked = (): Extension => EditorState.readOnly.of(readOnly);

  useEffect(() => {
    const nonce = pageNonce();
    let typed = false;
    const made = new EditorView({
      parent: holder.current!,
      state: EditorState.create({
        doc: value,
        extensions: [
          nonce ? EditorView.cspNonce.of(nonce) : [],
          problemField,
          problemGutter,
          lineNumbers(),
          history(),
          drawSelection(),
          highlightActiveLine(),
          highlightSpecialChars(),
          bracketMatching(),
          indentOnInput(),
          highlightSelectionMatches(),
          search({ top: true }),
          EditorState.tabSize.of(2),
          EditorView.lineWrapping,
          syntaxHighlighting(colours),
          look,
          parts.current.language.of([]),
          parts.current.readOnly.of(locked()),
          parts.current.label.of(named()),
          parts.current.phrases.of(EditorState.phrases.of(phrases[spoken])),
          keymap.of([
            { key: "Mod-Enter", run: () => !!act.current.onSave && (act.current.onSave(), true) },
            { key: "Mod-s", run: () => !!act.current.onSave && (act.current.onSave(), true) },
            { key: "F8", run: (editor) => toProblem(editor, 1) },
            { key: "Shift-F8", run: (editor) => toProblem(editor, -1) },
            // Tab moves on until something was typed; then it indents, and Escape gives it back.
            { key: "Tab", run: (editor) => typed && !editor.state.readOnly && indentMore(editor), shift: (editor) => typed && !editor.state.readOnly && indentLess(editor) },
            ...searchKeymap,
            ...historyKeymap,
            ...defaultKeymap,
            { key: "Escape", run: () => !!act.current.onEscape && (act.current.onEscape(), true) },
          ]),
          EditorView.domEventHandlers({
            blur: () => {
              typed = false;
            },
          }),
          EditorView.updateListener.of((update) => {
            if (update.docChanged && !update.transactions.some((one) => one.annotation(fromPage))) {
              typed = true;
              act.current.onChange?.(update.state.doc.toString());
            }
            if (update.selectionSet || update.docChanged) {
              const head = update.state.selection.main.head;
              const line = update.state.doc.lineAt(head);
              act.current.onCursor?.(line.number, head - line.from + 1);
            }
          }),
        ],
      }),
    });
    view.current = made;
    if (autoFocus) made.focus();
    return () => {
      view.current = null;
      made.destroy();
    };
    // The view lives as long as the component; what changes later goes through the effects below.
    // oxlint-disable-next-line react-hooks/exhaustive-deps
  }, []);

  useEffect(() => {
    let current = true;
    void syntax(language).then((found) => current && view.current?.dispatch({ effects: parts.current.language.reconfigure(found) }));
    return () => {
      current = false;
    };
  }, [language]);

  useEffect(() => {
    view.current?.dispatch({
      effects: [parts.current.readOnly.reconfigure(locked()), parts.current.label.reconfigure(named()), parts.current.phrases.reconfigure(EditorState.phrases.of(phrases[spoken]))],
    });
    // oxlint-disable-next-line react-hooks/exhaustive-deps
  }, [readOnly, label, spoken, broken]);

  useEffect(() => {
    const editor = view.current;
    if (!editor || editor.state.doc.toString() === value) return;
    editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value }, annotations: fromPage.of(true) });
  }, [value]);

  useEffect(() => {
    view.current?.dispatch({ effects: setProblems.of(problems ?? []) });
  }, [problems, value]);

  useImperativeHandle(ref, () => ({
    goTo: (line, column) => view.current && goTo(view.current, line, column),
    focus: () => view.current?.focus(),
  }));

  return (
    <>
      <div ref={holder} className={`kp-code-view${fill || height !== undefined ? " kp-code-full" : ""}`} />
      <span id={hint} className="k-hidden">
        {problems?.map((problem) => `${say("atCap", { line: problem.line, column: problem.column })}: ${problem.message}. `)}
        {!readOnly && say("editorKeys")}
      </span>
    </>
  );
}

function goTo(editor: EditorView, line: number, column: number): void {
  const { from } = placeOf({ line, column, message: "" }, editor.state.doc);
  editor.dispatch({ selection: { anchor: from }, effects: EditorView.scrollIntoView(from, { y: "center" }) });
  editor.focus();
}

/** To the next problem, or to the one before. */
function toProblem(editor: EditorView, step: 1 | -1): boolean {
  const { problems } = editor.state.field(problemField);
  if (problems.length === 0) return false;
  const places = problems.map((problem) => ({ problem, from: placeOf(problem, editor.state.doc).from })).sort((one, other) => one.from - other.from);
  const head = editor.state.selection.main.head;
  const next = step > 0 ? (places.find((one) => one.from > head) ?? places[0]!) : (places.findLast((one) => one.from < head) ?? places.at(-1)!);
  goTo(editor, next.problem.line, next.problem.column);
  return true;
}

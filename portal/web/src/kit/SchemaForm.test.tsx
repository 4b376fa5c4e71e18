import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { useState, type ReactNode } from "react";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { SchemaForm, Twin } from "./SchemaForm";
import type { Value } from "./text";

beforeAll(() => {
  window.matchMedia ??= ((query: string) => ({ matches: false, media: query, addEventListener() {}, removeEventListener() {}, addListener() {}, removeListener() {} })) as never;
});
afterEach(cleanup);

const schema = {
  type: "object",
  properties: {
    name: { type: "string", maxLength: 5 },
    rate: { type: "integer", minimum: 1, default: 10 },
    zones: { type: "array", items: { type: "string" }, default: [] },
    labels: { type: "object", additionalProperties: { type: "string" }, default: {} },
    odd: { allOf: [] },
  },
  required: ["name"],
};

let now: Value = null;

function Held({ first }: { first: Value }): ReactNode {
  const [value, setValue] = useState(first);
  now = value;
  return <SchemaForm schema={schema} value={value} onChange={setValue} problems={[{ path: "$.rate", message: "too much" }, { path: "gone.deep", message: "not here" }]} />;
}

describe("a form of a schema", () => {
  it("changes, sets and unsets", () => {
    render(<Held first={{ name: "abc", zones: ["a", "b"] }} />);
    fireEvent.change(screen.getByLabelText(/^name/), { target: { value: "abcdef" } });
    expect(now).toEqual({ name: "abcdef", zones: ["a", "b"] });
    expect(screen.getByText("at most 5 characters, now 6")).toBeTruthy();
    fireEvent.change(screen.getByLabelText(/^rate/), { target: { value: "7" } });
    expect(now).toMatchObject({ rate: 7 });
    expect(screen.getByText("too much")).toBeTruthy();
    expect(screen.getByText(/not here/)).toBeTruthy();
    fireEvent.click(screen.getByLabelText("Unset rate"));
    expect(now).not.toHaveProperty("rate");
  });

  it("never shows a secret, and replaces it as a whole", () => {
    const inside = { type: "object", properties: { value: { type: "string" }, mask: { type: "string" } } };
    const union = { anyOf: [{ type: "string" }, { title: "Secret", type: "object", properties: { $secret: inside }, required: ["$secret"] }] };
    const change = vi.fn();
    render(<SchemaForm schema={{ type: "object", properties: { password: union } }} value={{ password: { $secret: { mask: "d9761644" } } }} onChange={change} />);
    expect(screen.getByText("#d9761644")).toBeTruthy();
    expect(screen.queryByText("mask")).toBeNull();
    fireEvent.click(screen.getByText("Replace"));
    expect(change).toHaveBeenCalledWith({ password: { $secret: { value: "" } } });
  });

  it("complains of nothing that was not begun, and says what is needed", () => {
    const asked = { type: "object", properties: { adapter: { type: "string", pattern: "^[a-z]+$" }, clusters: { type: "array", items: { type: "string" }, minItems: 1 } }, required: ["adapter", "clusters"] };
    function Begun(): ReactNode {
      const [value, setValue] = useState<Value>({ adapter: "", clusters: [] });
      return <SchemaForm schema={asked} value={value} onChange={setValue} />;
    }
    render(<Begun />);
    expect(screen.queryByRole("alert")).toBeNull();
    expect(screen.getByText("needs at least 1")).toBeTruthy();
    fireEvent.change(screen.getByLabelText(/^adapter/), { target: { value: "SQL" } });
    expect(screen.getByText("matches ^[a-z]+$")).toBeTruthy();
    fireEvent.change(screen.getByLabelText(/^adapter/), { target: { value: "" } });
    expect(screen.getByText("This is required")).toBeTruthy();
  });

  it("adds, moves and removes items", () => {
    render(<Held first={{ name: "abc", zones: ["a", "b"] }} />);
    fireEvent.click(screen.getByLabelText("Move zones 2 up"));
    expect(now).toMatchObject({ zones: ["b", "a"] });
    fireEvent.click(screen.getByText("Add item"));
    expect(now).toMatchObject({ zones: ["b", "a", ""] });
    expect(document.activeElement?.getAttribute("aria-label")).toBe("zones 3");
    fireEvent.click(screen.getByLabelText("Remove zones 1"));
    expect(now).toMatchObject({ zones: ["a", ""] });
  });

  it("adds and renames keys, and tells a name that is taken", () => {
    render(<Held first={{ name: "abc", labels: { one: "1", two: "2" } }} />);
    fireEvent.change(screen.getByLabelText("Key one"), { target: { value: "two" } });
    expect(screen.getByText("There is a key two already")).toBeTruthy();
    expect(now).toMatchObject({ labels: { one: "1", two: "2" } });
    fireEvent.change(screen.getByLabelText("Key one"), { target: { value: "first" } });
    fireEvent.blur(screen.getByLabelText("Key one"));
    expect(now).toMatchObject({ labels: { first: "1", two: "2" } });
    fireEvent.change(screen.getByLabelText("New key"), { target: { value: "three" } });
    fireEvent.click(screen.getByText("Add key"));
    expect(now).toMatchObject({ labels: { first: "1", two: "2", three: "" } });
  });
});

it("a source that does not parse is kept, and the form is closed meanwhile", () => {
  const onChange = vi.fn();
  const { rerender } = render(<Twin schema={schema} value={{ name: "abc" }} onChange={onChange} label="rule" text={'{"name": x}'} />);
  expect(screen.getByText(/does not parse at line 1, column 10/)).toBeTruthy();
  expect(screen.queryByLabelText(/^name/)).toBeNull();
  rerender(<Twin schema={schema} value={{ name: "new" }} onChange={onChange} label="rule" text={'{"name": x}'} />);
  expect(screen.getByText(/the source is still yours/)).toBeTruthy();
  expect(onChange).not.toHaveBeenCalled();
});

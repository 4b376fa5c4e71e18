import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, cleanup, fireEvent, render, screen } from "@testing-library/react";
import type { ReactNode } from "react";
import { afterEach, expect, it, vi } from "vitest";
import { usePages } from "./read";

const asked: { after: string; answer: () => void }[] = [];

vi.mock("./client", () => ({
  ApiError: class extends Error {},
  call: (_operation: string, { query, signal }: { query: { after: string }; signal: AbortSignal }) =>
    new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(new Error("aborted")));
      const page = query.after === "" ? { items: ["a"], next: "a" } : { items: ["b"], next: "" };
      asked.push({ after: query.after, answer: () => resolve(page) });
    }),
}));
vi.mock("./stream", () => ({ follow: () => () => undefined, onStream: () => () => undefined }));
afterEach(cleanup);

function List(): ReactNode {
  const found = usePages<never, string>("GET /api/v1/things" as never, {} as never, { topics: ["things"] });
  return <button type="button" onClick={() => found.more?.()}>{(found.rows ?? []).join(" ")}</button>;
}

const settle = (): Promise<void> => act(() => new Promise<void>((done) => { window.setTimeout(done, 20); }));

it("reads on though what was read is read again meanwhile", async () => {
  const client = new QueryClient();
  render(<QueryClientProvider client={client}><List /></QueryClientProvider>);
  asked.shift()!.answer();
  await settle();
  fireEvent.click(screen.getByText("a"));
  await settle();
  expect(asked.map((one) => one.after)).toEqual(["a"]);
  void client.invalidateQueries();
  await settle();
  expect(asked.map((one) => one.after)).toEqual(["a", ""]);
  asked[1]!.answer();
  await settle();
  expect(asked.map((one) => one.after)).toEqual(["a", "", "a"]);
  asked[2]!.answer();
  await settle();
  expect(screen.getByText("a b")).toBeTruthy();
  expect(asked.length).toBe(3);
});

import { cloneElement, lazy, startTransition, Suspense, useEffect, useLayoutEffect, useRef, useState, type MouseEvent, type ReactElement, type ReactNode, type Ref } from "react";
import { Button } from "./Button";
import type { MenuItem } from "./Openings";

export type { MenuItem };

const MenuOpening = lazy(async () => ({ default: (await import("./Openings")).MenuOpening }));
const PopOpening = lazy(async () => ({ default: (await import("./Openings")).PopOpening }));

export function Menu({ items, children, label }: { items: (MenuItem | "line")[]; children?: ReactElement<Opener>; label: string }): ReactNode {
  const [open, setOpen] = useState(false);
  const opener = useOpener(children ?? <Button kind="quiet" size="small" icon="more" label={label} />, () => setOpen(true));
  if (!opener.rested) return opener.element;
  return (
    <Suspense fallback={opener.element}>
      <MenuOpening items={items} open={open} onOpenChange={setOpen}>
        {opener.element}
      </MenuOpening>
    </Suspense>
  );
}

export function Pop(props: { content: ReactNode; children: ReactElement<Opener>; open?: boolean; onOpenChange?: (open: boolean) => void }): ReactNode {
  const [own, setOwn] = useState(false);
  const change = props.onOpenChange ?? setOwn;
  const open = props.open ?? own;
  const opener = useOpener(props.children, () => change(true), open);
  if (!opener.rested) return opener.element;
  return (
    <Suspense fallback={opener.element}>
      <PopOpening content={props.content} open={open} onOpenChange={change}>
        {opener.element}
      </PopOpening>
    </Suspense>
  );
}

/** What a button must take to open something. */
interface Opener {
  ref?: Ref<HTMLButtonElement>;
  onClick?: (event: MouseEvent) => void;
}

let rested = false;

/** Give a button that opens something. What it opens is made once the page rests after its first load, which it would only
 *  delay; a click that comes before opens it all the same, and the focus stays on the button. */
function useOpener(button: ReactElement<Opener>, open: () => void, opened = false): { rested: boolean; element: ReactElement<Opener> } {
  const [ready, setReady] = useState(rested);
  if (opened && !ready) setReady(true);
  const box = useRef<HTMLButtonElement>(null);
  const focused = useRef(false);
  useEffect(() => {
    if (ready) return;
    return whenIdle(() => {
      rested = true;
      focused.current = box.current !== null && box.current === document.activeElement;
      startTransition(() => setReady(true));
    });
  }, [ready]);
  useLayoutEffect(() => {
    if (ready && focused.current) box.current?.focus();
    focused.current = false;
  }, [ready]);
  const early = (event: MouseEvent): void => {
    button.props.onClick?.(event);
    setReady(true);
    open();
  };
  return { rested: ready, element: cloneElement(button, ready ? { ref: box } : { ref: box, onClick: early }) };
}

/** Call back when nothing else is to be done, within a second; give what calls it off. */
function whenIdle(call: () => void): () => void {
  if (!("requestIdleCallback" in window)) {
    const timer = setTimeout(call, 300);
    return () => clearTimeout(timer);
  }
  const idle = requestIdleCallback(call, { timeout: 1000 });
  return () => cancelIdleCallback(idle);
}

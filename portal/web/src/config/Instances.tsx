import type { ReactNode } from "react";
import { Instances, LifeProvider } from "../life";
import { useConfigLife } from "./place";
import "../life/life.css";

/** The running instances of an application, by what they hold of its configuration. */
export default function InstancesTab(): ReactNode {
  return (
    <LifeProvider value={useConfigLife()}>
      <Instances />
    </LifeProvider>
  );
}

import "./parts.css";

export * from "./Canary";
export * from "./CodeEditor";
export * from "./Diff";
export * from "./Origin";
export * from "./Ring";
export * from "./Secret";
export * from "./Steps";
export * from "./StripPlot";
export { compareTexts, shortHash } from "./compare";
export { copyText } from "./size";

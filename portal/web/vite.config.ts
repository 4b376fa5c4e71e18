import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const { QIANTANG_DEV_API: target = "http://127.0.0.1:8900" } = (globalThis as unknown as { process: { env: Record<string, string | undefined> } }).process.env;

// Everything is addressed relative to <base href>, so that one build works under any base path.
export default defineConfig({
  base: "./",
  plugins: [react()],
  build: {
    outDir: "../src/qiantang_portal/static",
    emptyOutDir: true,
    sourcemap: false,
    target: "es2022",
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 700,
    modulePreload: { polyfill: false },
  },
  worker: { format: "es" },
  server: {
    port: 5173,
    proxy: Object.fromEntries(["/api", "/login", "/logout", "/first", "/-/sign-in"].map((path) => [path, { target, changeOrigin: false }])),
  },
  test: { environment: "jsdom", include: ["src/**/*.test.{ts,tsx}"] },
} as Parameters<typeof defineConfig>[0]);

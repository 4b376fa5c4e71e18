import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

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
    proxy: { "/api": "http://127.0.0.1:8900", "/login": "http://127.0.0.1:8900", "/logout": "http://127.0.0.1:8900" },
  },
  test: { environment: "jsdom", include: ["src/**/*.test.{ts,tsx}"] },
} as Parameters<typeof defineConfig>[0]);

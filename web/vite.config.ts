import tailwind from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { pdfAssets } from "./vite.pdfjs.ts";

const api = process.env.STRATA_API ?? "http://127.0.0.1:8787";

export default defineConfig({
  plugins: [react(), tailwind(), pdfAssets()],
  resolve: { alias: { "@": join(import.meta.dirname, "src") } },
  server: { proxy: { "/api": api } },
  build: { target: "es2023", modulePreload: { polyfill: false }, chunkSizeWarningLimit: 900 },
  test: {
    environment: "jsdom",
    globals: true,
    include: ["src/**/*.test.{ts,tsx}"],
    setupFiles: ["src/lib/testing/setup.ts"],
  },
});

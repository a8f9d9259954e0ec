/** Ships the character maps, fonts and decoders that pdf.js fetches at run time, so that no PDF needs another origin. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Plugin } from "vite";

const FOLDERS = ["cmaps", "standard_fonts", "wasm", "iccs"];

export function pdfAssets(): Plugin {
  const root = join(import.meta.dirname, "node_modules", "pdfjs-dist");
  return {
    name: "pdf-assets",
    configureServer(server) {
      server.middlewares.use("/pdfjs", (request, response, next) => {
        const [folder = "", file = ""] = (request.url ?? "").split("?")[0]!.slice(1).split("/");
        if (!FOLDERS.includes(folder) || file.includes("..")) {
          next();
          return;
        }
        readFile(join(root, folder, file)).then((bytes) => response.end(bytes), next);
      });
    },
    async generateBundle() {
      for (const folder of FOLDERS) {
        for (const file of await readdir(join(root, folder))) {
          const source = await readFile(join(root, folder, file));
          this.emitFile({ type: "asset", fileName: `pdfjs/${folder}/${file}`, source });
        }
      }
    },
  };
}

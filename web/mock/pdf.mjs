/** Writes a small, valid PDF of text pages with the standard Helvetica fonts (none embedded), for the mock's documents. */

const SIZES = { title: 19, heading: 13, paragraph: 10.5, table: 9.5, list: 10.5 };
const WIDTH = 595;
const HEIGHT = 842;
const MARGIN = 64;

const escape = (text) => text.replace(/[\\()]/g, "\\$&");

/** Lines that fit the page; 0.5 em is Helvetica's usual advance. */
function wrap(text, size) {
  const room = Math.floor((WIDTH - 2 * MARGIN) / (size * 0.49));
  const lines = [""];
  for (const word of text.split(/\s+/)) {
    const line = lines[lines.length - 1];
    if (line && line.length + word.length + 1 > room) lines.push(word);
    else lines[lines.length - 1] = line ? `${line} ${word}` : word;
  }
  return lines;
}

function draw(blocks, number, total, footer) {
  let y = HEIGHT - MARGIN;
  const out = [`0.06 0.36 0.34 rg 0 ${HEIGHT - 12} ${WIDTH} 12 re f 0.1 0.12 0.14 rg`];
  const line = (text, x, font, size) =>
    out.push(`BT /${font} ${size} Tf ${x} ${y} Td (${escape(text)}) Tj ET`);
  for (const block of blocks) {
    const style = block.kind === "heading" ? (block.level === 1 ? "title" : "heading") : block.kind;
    const size = SIZES[style] ?? SIZES.paragraph;
    const bold = block.kind === "heading" ? "F2" : "F1";
    y -= block.kind === "heading" ? size * 1.1 : size * 0.4;
    if (block.kind === "table") {
      const rows = block.text.split("\n").filter((row) => !/^\|[\s|:-]+\|$/.test(row));
      rows.forEach((row, index) => {
        const cells = row.split("|").slice(1, -1);
        const step = (WIDTH - 2 * MARGIN) / cells.length;
        cells.forEach((cell, at) => line(cell.trim(), MARGIN + at * step, index ? "F1" : "F2", size));
        out.push(`0.8 0.83 0.82 RG 0.5 w ${MARGIN} ${y - 5} m ${WIDTH - MARGIN} ${y - 5} l S`);
        y -= size * 1.9;
      });
    } else {
      for (const row of wrap(block.text, size)) {
        line(row, MARGIN, bold, size);
        y -= size * 1.5;
      }
    }
    y -= size * 0.5;
  }
  y = 36;
  line(`${footer}    Page ${number} of ${total}`, MARGIN, "F1", 8);
  return out.join("\n");
}

/** `pages` is a list of lists of blocks `{kind, text, level}`; the answer is the file's bytes. */
export function pdf(pages, footer) {
  const objects = [];
  const add = (body) => objects.push(body);
  const kids = pages.map((_, index) => `${5 + index * 2} 0 R`).join(" ");
  add("<< /Type /Catalog /Pages 2 0 R >>");
  add(`<< /Type /Pages /Kids [${kids}] /Count ${pages.length} >>`);
  add("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>");
  add("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>");
  pages.forEach((blocks, index) => {
    const stream = Buffer.from(draw(blocks, index + 1, pages.length, footer), "latin1").toString("latin1");
    const fonts = "<< /Font << /F1 3 0 R /F2 4 0 R >> >>";
    add(
      `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 ${WIDTH} ${HEIGHT}] /Resources ${fonts} /Contents ${6 + index * 2} 0 R >>`,
    );
    add(`<< /Length ${stream.length} >>\nstream\n${stream}\nendstream`);
  });
  let file = "%PDF-1.4\n";
  const offsets = objects.map((body, index) => {
    const at = file.length;
    file += `${index + 1} 0 obj\n${body}\nendobj\n`;
    return at;
  });
  const table = file.length;
  file += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n`;
  for (const at of offsets) file += `${String(at).padStart(10, "0")} 00000 n \n`;
  file += `trailer << /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${table}\n%%EOF\n`;
  return Buffer.from(file, "latin1");
}

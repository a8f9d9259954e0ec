/** Figures, dates and names as people read them, in the reader's own locale. */

const MICROS = 1_000_000;

/** Micro-units as money; sums below a cent keep as many digits as they need to not read as nothing. */
export function money(micros: number, currency: string): string {
  const value = micros / MICROS;
  const small = value !== 0 && Math.abs(value) < 0.1;
  return new Intl.NumberFormat(undefined, {
    style: "currency",
    currency,
    ...(small ? { minimumSignificantDigits: 2, maximumSignificantDigits: 2 } : {}),
  }).format(value);
}

export const count = (value: number) => new Intl.NumberFormat().format(value);

export const compact = (value: number) =>
  new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 }).format(value);

export const seconds = (value: number) => `${value < 10 ? value.toFixed(1) : Math.round(value)} s`;

export const percent = (share: number) =>
  new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 0 }).format(share);

export const plural = (value: number, one: string, many = `${one}s`) =>
  `${count(value)} ${value === 1 ? one : many}`;

export function bytes(size: number): string {
  const units = ["B", "KB", "MB", "GB"];
  let rest = size;
  let unit = 0;
  while (rest >= 1000 && unit < units.length - 1) {
    rest /= 1000;
    unit += 1;
  }
  return `${rest < 10 && unit ? rest.toFixed(1) : Math.round(rest)} ${units[unit] ?? ""}`;
}

export const date = (iso: string) =>
  new Intl.DateTimeFormat(undefined, { dateStyle: "medium" }).format(new Date(iso));

export const moment = (iso: string) =>
  new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" }).format(new Date(iso));

/** A day of a report (`2026-11-22`), which belongs to no time zone. */
export const day = (iso: string) =>
  new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", timeZone: "UTC" }).format(
    new Date(iso),
  );

const KINDS: Record<string, string> = {
  "application/pdf": "PDF",
  "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "Word",
  "application/vnd.openxmlformats-officedocument.presentationml.presentation": "PowerPoint",
  "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "Excel",
  "message/rfc822": "E-mail",
  "text/csv": "CSV",
  "text/html": "HTML",
  "text/markdown": "Markdown",
  "text/plain": "Text",
};

/** A media type by the name that people know it by. */
export const kind = (media: string) => KINDS[media.split(";")[0]!.trim()] ?? "File";

/** A quote on one line: the bars of a table's row become gaps. */
export const readable = (quote: string) =>
  quote
    .replace(/^\s*\|?[\s:|-]+\|\s*$/gm, "")
    .replace(/^\s*\|\s*|\s*\|\s*$/gm, "")
    .replace(/\s*\|\s*/g, " · ")
    .trim();

/** A hue of the wheel that stays the same for the same name, from six that sit well side by side. */
export function hue(name: string): number {
  const hues = [186, 262, 38, 326, 142, 92];
  let sum = 0;
  for (const letter of name) sum = (sum * 31 + letter.codePointAt(0)!) >>> 0;
  return hues[sum % hues.length]!;
}

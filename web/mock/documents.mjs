/** The sample documents of CryoDyne, a fictional pharmaceutical company, as the mock's library holds them. */
import { pdf } from "./pdf.mjs";

const h = (level, text) => ({ kind: "heading", level, text });
const p = (text) => ({ kind: "paragraph", level: 0, text });
const list = (...items) => ({ kind: "list", level: 0, text: items.map((item) => `- ${item}`).join("\n") });
const table = (...rows) => {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  const [head, ...body] = rows;
  return {
    kind: "table",
    level: 0,
    text: [line(head), line(head.map(() => "---")), ...body.map(line)].join("\n"),
  };
};

const coldChain = [
  [
    h(1, "SOP-QA-014 Cold chain handling of Frostavir"),
    p(
      "Version 6.2, effective 1 March 2026. Owner: Quality Assurance, Basel. This procedure replaces version 6.1.",
    ),
    h(2, "1 Purpose"),
    p(
      "This procedure describes how Frostavir concentrate and pre-filled syringes are stored, moved and released so that the product stays within its validated temperature range from filling to the patient.",
    ),
    h(2, "2 Scope"),
    p(
      "It applies to all CryoDyne sites, contract warehouses and couriers that handle Frostavir, including clinical supplies. It does not apply to the lyophilised reference standard, which is covered by SOP-QA-021.",
    ),
    h(2, "3 Responsibilities"),
    p(
      "The warehouse lead keeps the temperature log. The quality unit decides on every excursion. The qualified person releases the batch. Couriers report a deviation within one hour of noticing it.",
    ),
  ],
  [
    h(2, "4 Storage"),
    p(
      "Frostavir must be stored between 2 °C and 8 °C in its original carton, protected from light. Freezing destroys the emulsion: product that has been below 0 °C must never be used, even if it looks unchanged.",
    ),
    p(
      "A single excursion of up to 25 °C is tolerated for no more than 12 hours in total over the shelf life, provided that the time is recorded on the batch card and the product is returned to the refrigerator.",
    ),
    table(
      ["Condition", "Limit", "Action"],
      ["2 to 8 °C", "shelf life 24 months", "none"],
      ["8 to 25 °C", "12 hours in total", "record on batch card"],
      ["above 25 °C", "not allowed", "quarantine, call QA"],
      ["below 0 °C", "not allowed", "destroy, file deviation"],
    ),
    h(2, "5 Monitoring"),
    p(
      "Each refrigerator has two independent probes, read every five minutes. An alarm is raised after ten minutes outside the range and goes to the person on call by telephone.",
    ),
  ],
  [
    h(2, "6 Excursions"),
    p(
      "Whoever notices an excursion moves the product to quarantine, labels it and files a deviation in TrackQ before the end of the shift. The quality unit answers within two working days.",
    ),
    p("Product under quarantine keeps its place in the cold room and is not counted as available stock."),
    h(2, "7 Records"),
    p(
      "Temperature records are kept for the shelf life of the batch plus one year, and at least for five years.",
    ),
    h(2, "8 History"),
    table(
      ["Version", "Date", "Change"],
      ["6.2", "2026-03-01", "12-hour limit clarified"],
      ["6.1", "2025-06-15", "second probe"],
    ),
  ],
];

const product = [
  h(1, "Frostavir 150 mg solution for injection: product information"),
  h(2, "4.2 Posology and method of administration"),
  p(
    "The recommended dose is 150 mg given subcutaneously once every four weeks. Treatment should be started and supervised by a physician experienced in the care of chronic cold agglutinin disease.",
  ),
  h(3, "Renal impairment"),
  p(
    "No dose adjustment is needed in mild renal impairment. In moderate renal impairment the interval is extended, and in severe renal impairment Frostavir is not recommended.",
  ),
  table(
    ["Renal function", "eGFR (ml/min)", "Dose", "Interval"],
    ["Normal or mild", "60 or more", "150 mg", "4 weeks"],
    ["Moderate", "30 to 59", "150 mg", "6 weeks"],
    ["Severe", "below 30", "not recommended", "–"],
  ),
  h(2, "4.4 Special warnings and precautions for use"),
  list(
    "Serious infections: do not start treatment during an active infection.",
    "Hypersensitivity: stop the injection at the first sign of a reaction.",
    "Vaccination: live vaccines are not recommended during treatment.",
  ),
  h(2, "4.8 Undesirable effects"),
  p(
    "The most frequent adverse reactions were injection site reactions (12.4 %), headache (8.1 %) and nasopharyngitis (6.7 %).",
  ),
  table(
    ["System organ class", "Very common", "Common"],
    ["General disorders", "injection site reaction", "fatigue"],
    ["Nervous system", "–", "headache, dizziness"],
    ["Infections", "–", "nasopharyngitis"],
  ),
  h(2, "6.4 Special precautions for storage"),
  p(
    "Store in a refrigerator (2 °C to 8 °C). Do not freeze. Keep the syringe in the outer carton in order to protect it from light.",
  ),
];

const leave = [
  h(1, "Parental leave policy"),
  p(
    "Valid for all employees of CryoDyne worldwide from 1 January 2026. Local law applies where it grants more.",
  ),
  h(2, "How much leave"),
  p(
    "Every parent may take 26 weeks of paid parental leave within the first two years after birth or adoption. The weeks may be taken in up to three blocks.",
  ),
  h(2, "How to ask for it"),
  list(
    "Tell your manager at least eight weeks before the first day.",
    "File the request in PeopleHub, with the expected dates.",
    "Human Resources confirms within five working days.",
  ),
  h(2, "Coming back"),
  p("On return, an employee may work 80 % for full pay during the first month."),
];

const minutes = [
  h(1, "Minutes: Frostavir safety review, 12 November 2026"),
  p("From: Amara Okafor. To: clinical-safety. Present: A. Okafor, L. Brandt, M. Silva."),
  p(
    "The committee reviewed 41 individual case reports received since August. Two serious cases of hypersensitivity were assessed as related; both patients recovered.",
  ),
  p(
    "Decision: the warning on hypersensitivity will be strengthened with the next label update in January 2027.",
  ),
];

const stability = [
  h(1, "Stability study FRV-ST-07"),
  table(
    ["Month", "Condition", "Assay (%)", "Aggregates (%)", "Result"],
    ["0", "5 °C", "100.2", "0.4", "pass"],
    ["6", "5 °C", "99.8", "0.5", "pass"],
    ["12", "5 °C", "99.5", "0.7", "pass"],
    ["18", "5 °C", "99.1", "0.9", "pass"],
    ["24", "5 °C", "98.7", "1.2", "pass"],
  ),
];

/** Joins blocks into one text and remembers where each block and page begins and ends. */
function compose(pages, paged) {
  let text = "";
  const places = [];
  const blocks = [];
  pages.forEach((page, index) => {
    const start = text.length;
    for (const block of page) {
      if (text) text += "\n\n";
      const at = text.length;
      text += block.text;
      blocks.push({
        kind: block.kind,
        start: at,
        end: text.length,
        page: paged ? index + 1 : null,
        level: block.level,
      });
    }
    places.push({ page: index + 1, start, end: text.length });
  });
  return { text, pages: paged ? places : [], blocks };
}

const PDF = "application/pdf";
const DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
const XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

function document(id, title, source, corpus, media, body, more = {}) {
  const paged = media === PDF;
  const content = compose(paged ? body : [body], paged);
  const original = paged && body.length ? pdf(body, title) : Buffer.from(content.text, "utf8");
  return {
    about: {
      id,
      title,
      source,
      corpus,
      media,
      size: original.length,
      state: "indexed",
      reason: "",
      classification: "internal",
      readers: [corpus],
      pages: paged ? body.length : null,
      chunks: Math.max(1, content.blocks.length - 2),
      received_at: "2026-11-18T08:12:00Z",
      indexed_at: "2026-11-18T08:12:09Z",
      ...more,
    },
    content,
    original,
  };
}

export function documents() {
  return [
    document(
      "d-cold",
      "SOP-QA-014 Cold chain handling of Frostavir",
      "SOP-QA-014.pdf",
      "research",
      PDF,
      coldChain,
      {
        readers: ["research", "regulatory", "clinical-safety"],
      },
    ),
    document(
      "d-spc",
      "Frostavir 150 mg: product information",
      "frostavir-product-information.docx",
      "research",
      DOCX,
      product,
      {
        classification: "public",
        readers: ["everyone"],
      },
    ),
    document("d-stab", "Stability study FRV-ST-07", "FRV-ST-07.xlsx", "research", XLSX, stability, {
      classification: "confidential",
      received_at: "2026-11-19T10:40:00Z",
      indexed_at: "2026-11-19T10:40:03Z",
    }),
    document(
      "d-min",
      "Minutes: Frostavir safety review, 12 November 2026",
      "safety-review.eml",
      "clinical-safety",
      "message/rfc822",
      minutes,
      {
        classification: "restricted",
        readers: ["safety-board"],
        received_at: "2026-11-20T16:05:00Z",
        indexed_at: "2026-11-20T16:05:02Z",
      },
    ),
    document("d-leave", "Parental leave policy", "parental-leave.md", "people", "text/markdown", leave, {
      readers: ["everyone"],
    }),
    document("d-scan", "Batch record 2024-117 (scan)", "batch-record-2024-117.pdf", "research", PDF, [], {
      state: "quarantined",
      reason: "The file is protected by a password. Remove the password and upload it again.",
      pages: null,
      chunks: 0,
      indexed_at: null,
      received_at: "2026-11-21T09:30:00Z",
    }),
    document("d-html", "Glossary of cold chain terms", "glossary.html", "research", "text/html", [
      h(1, "Glossary of cold chain terms"),
      p("Excursion: any time spent outside the validated temperature range."),
      p("Mean kinetic temperature: a single temperature that stands for the effect of a varying one."),
    ]),
    document("d-csv", "Courier qualification 2026", "couriers.csv", "research", "text/csv", [
      h(1, "Courier qualification 2026"),
      table(
        ["Courier", "Lane", "Qualified until"],
        ["NordFracht", "Basel to Oslo", "2027-04"],
        ["PolarLine", "Basel to Boston", "2026-12"],
      ),
    ]),
  ];
}

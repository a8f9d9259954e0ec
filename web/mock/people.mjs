/** Who may sign in to the mock, and which assistants and corpora there are. */

const tenant = { id: "cryodyne", name: "CryoDyne" };
const research = { id: "research", name: "Research" };
const safety = { id: "clinical-safety", name: "Clinical Safety" };
const regulatory = { id: "regulatory", name: "Regulatory Affairs" };
const people = { id: "people", name: "Human Resources" };

export const PERSONS = {
  ingrid: {
    id: "p-ingrid",
    name: "Ingrid Solberg",
    email: "ingrid.solberg@cryodyne.example",
    title: "Senior scientist, formulation",
    department: research,
    tenant,
    groups: ["research", "everyone"],
    roles: ["reader", "curator", "finance"],
    may: { upload: true, usage: true, audit: false },
  },
  nina: {
    id: "p-nina",
    name: "Nina Keller",
    email: "nina.keller@cryodyne.example",
    title: "Recruiter",
    department: people,
    tenant,
    groups: ["people", "everyone"],
    roles: ["reader"],
    may: { upload: false, usage: false, audit: false },
  },
};

const NOTICE = "Answers are made by software and can be wrong. Check the sources before you act on them.";

export const ASSISTANTS = [
  {
    id: "formulation",
    name: "Formulation companion",
    department: research,
    description: "Procedures, stability studies and product information for everything kept cold.",
    language: "en",
    mode: "generative",
    model: "strata-small",
    corpora: ["research"],
    suggestions: [
      "How must Frostavir be stored?",
      "Which dose is right in renal impairment?",
      "Summarise the cold chain procedure",
      "What happens after an excursion above 25 °C?",
    ],
    notice: NOTICE,
  },
  {
    id: "safety",
    name: "Safety desk",
    department: safety,
    description: "Case reports, safety reviews and the wording of warnings, for those who assess them.",
    language: "en",
    mode: "generative",
    model: "strata-small",
    corpora: ["clinical-safety", "research"],
    suggestions: ["What did the last safety review decide?", "Which adverse reactions are common?"],
    notice: NOTICE,
  },
  {
    id: "labels",
    name: "Label and dossier guide",
    department: regulatory,
    description: "What was filed where, and what the label says about it. Quotes only, word for word.",
    language: "en",
    mode: "extractive",
    model: null,
    corpora: ["research"],
    suggestions: ["What does the label say about renal impairment?"],
    notice: NOTICE,
  },
  {
    id: "people",
    name: "People and policies",
    department: people,
    description: "Leave, travel, benefits and how to ask for them, wherever you work.",
    language: "en",
    mode: "extractive",
    model: null,
    corpora: ["people"],
    suggestions: ["How much parental leave is there?"],
    notice: NOTICE,
  },
];

export const CORPORA = [
  { id: "research", name: "Research library", department: "research", may_upload: true },
  { id: "clinical-safety", name: "Clinical safety files", department: "clinical-safety", may_upload: false },
  { id: "people", name: "People and policies", department: "people", may_upload: false },
];

const DAY = 86_400_000;

/** Invented but steady figures: the same day gives the same numbers. */
export function usage(by, days) {
  const now = Date.now();
  const daily = Array.from({ length: days }, (_, index) => {
    const date = new Date(now - (days - 1 - index) * DAY);
    const weekend = [0, 6].includes(date.getUTCDay());
    const requests = weekend ? 4 + (date.getUTCDate() % 5) : 60 + ((date.getUTCDate() * 37) % 55);
    return { day: date.toISOString().slice(0, 10), requests, cost_micros: requests * 2150 };
  });
  const requests = daily.reduce((sum, day) => sum + day.requests, 0);
  const row = (key, name, share) => ({
    key,
    name,
    requests: Math.round(requests * share),
    prompt_tokens: Math.round(requests * share * 1450),
    completion_tokens: Math.round(requests * share * 160),
    cost_micros: Math.round(requests * share * 2150),
  });
  const names = {
    department: [
      ["research", "Research", 0.52],
      ["clinical-safety", "Clinical Safety", 0.27],
      ["regulatory", "Regulatory Affairs", 0.14],
      ["people", "Human Resources", 0.07],
    ],
    person: [
      ["p-ingrid", "Ingrid Solberg", 0.41],
      ["p-amara", "Amara Okafor", 0.33],
      ["p-luis", "Luis Ferreira", 0.26],
    ],
    assistant: ASSISTANTS.map((item, index) => [item.id, item.name, [0.5, 0.25, 0.15, 0.1][index]]),
    model: [
      ["strata-small", "strata-small", 0.72],
      ["minilm", "minilm (embedder)", 0.28],
    ],
  };
  const reset = new Date(
    Date.UTC(new Date(now).getUTCFullYear(), new Date(now).getUTCMonth() + 1, 1),
  ).toISOString();
  const budget = (id, name, department, limit, spent, reserved, state) => ({
    id,
    name,
    department,
    period: "month",
    limit_micros: limit,
    spent_micros: spent,
    reserved_micros: reserved,
    currency: "USD",
    alarm_percent: 80,
    state,
    resets_at: reset,
  });
  return {
    by,
    from: new Date(now - days * DAY).toISOString(),
    till: new Date(now).toISOString(),
    currency: "USD",
    total: row("total", "Total", 1),
    rows: names[by].map((entry) => row(...entry)),
    daily,
    budgets: [
      budget("b-research", "Research", "research", 10_000_000, 3_420_000, 12_000, "ok"),
      budget("b-safety", "Clinical Safety", "clinical-safety", 2_000_000, 1_745_000, 0, "alarm"),
      budget("b-people", "Human Resources", "people", 250_000, 250_000, 0, "exhausted"),
    ],
  };
}

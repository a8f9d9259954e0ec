/** The mock's scripted answers: which words in a question lead to which sentences, quotes and outcome. */

const say = (text, support = "none", ...quotes) => ({ text, support, quotes });
const quote = (document, words, score) => ({ document, words, score });

const RANGE = quote(
  "d-cold",
  "Frostavir must be stored between 2 °C and 8 °C in its original carton, protected from light.",
  0.94,
);
const FREEZE = quote(
  "d-cold",
  "product that has been below 0 °C must never be used, even if it looks unchanged",
  0.91,
);
const TWELVE = quote(
  "d-cold",
  "A single excursion of up to 25 °C is tolerated for no more than 12 hours in total over the shelf life",
  0.88,
);
const LABEL = quote(
  "d-spc",
  "Do not freeze. Keep the syringe in the outer carton in order to protect it from light.",
  0.83,
);
const DEVIATION = quote("d-cold", "files a deviation in TrackQ before the end of the shift", 0.86);

export const ANSWERS = [
  {
    match: /renal|kidney|dose/i,
    title: "Frostavir dose in renal impairment",
    mode: "extractive",
    model: null,
    sentences: [
      say(
        "No dose adjustment is needed in mild renal impairment. ",
        "supported",
        quote("d-spc", "No dose adjustment is needed in mild renal impairment.", 0.92),
      ),
      say(
        "In moderate renal impairment the interval is extended, and in severe renal impairment Frostavir is not recommended.\n\n",
        "supported",
        quote(
          "d-spc",
          "In moderate renal impairment the interval is extended, and in severe renal impairment Frostavir is not recommended.",
          0.9,
        ),
      ),
      say(
        "| Renal function | eGFR (ml/min) | Dose | Interval |\n| --- | --- | --- | --- |\n| Normal or mild | 60 or more | 150 mg | 4 weeks |\n| Moderate | 30 to 59 | 150 mg | 6 weeks |\n| Severe | below 30 | not recommended | – |\n",
        "supported",
        quote("d-spc", "| Moderate | 30 to 59 | 150 mg | 6 weeks |", 0.87),
      ),
    ],
  },
  {
    match: /leave|parent|holiday/i,
    title: "Parental leave",
    mode: "extractive",
    model: null,
    sentences: [
      say(
        "Every parent may take 26 weeks of paid parental leave within the first two years after birth or adoption. ",
        "supported",
        quote(
          "d-leave",
          "Every parent may take 26 weeks of paid parental leave within the first two years after birth or adoption.",
          0.95,
        ),
      ),
      say(
        "The weeks may be taken in up to three blocks.",
        "supported",
        quote("d-leave", "The weeks may be taken in up to three blocks.", 0.9),
      ),
    ],
  },
  {
    match: /world cup|weather|capital of/i,
    title: "Outside the documents",
    mode: "generative",
    model: "strata-small",
    outcome: "abstained",
    sentences: [
      say("I don't know. "),
      say("The documents that you may read do not carry an answer to this question."),
    ],
  },
  {
    match: /summari|long|everything/i,
    title: "Summary of the cold chain procedure",
    mode: "generative",
    model: "strata-small",
    sentences: [
      say("## In short\n\n"),
      say("- **Range:** Frostavir is kept between 2 °C and 8 °C in its carton.\n", "supported", RANGE),
      say("- **Freezing:** product that has been below 0 °C is never used.\n", "supported", FREEZE, LABEL),
      say("- **Excursions:** up to 25 °C for at most 12 hours in total.\n\n", "supported", TWELVE),
      say("## What to do\n\n"),
      say("1. Move the product to quarantine and label it.\n"),
      say("2. File a deviation in TrackQ before the end of the shift.\n", "supported", DEVIATION),
      say("3. Call the courier's dispatcher within ten minutes.\n\n", "unsupported"),
      say(
        "The quality unit then answers within two working days.",
        "supported",
        quote("d-cold", "The quality unit answers within two working days.", 0.84),
      ),
    ],
  },
  {
    match: /fail|break/i,
    title: "An answer that fails",
    mode: "generative",
    model: "strata-small",
    outcome: "failed",
    sentences: [say("Frostavir must be stored between 2 °C and 8 °C. ", "supported", RANGE)],
  },
  {
    match: /slowly/i,
    title: "A long answer",
    mode: "generative",
    model: "strata-small",
    pace: 500,
    sentences: Array.from({ length: 20 }, (_, index) =>
      say(`This is sentence ${index + 1}. `, "supported", RANGE),
    ),
  },
  {
    match: /./,
    title: "How Frostavir is stored",
    mode: "generative",
    model: "strata-small",
    sentences: [
      say(
        "Frostavir is stored in a refrigerator **between 2 °C and 8 °C**, in its original carton and away from light. ",
        "supported",
        RANGE,
        LABEL,
      ),
      say(
        "It must never be frozen: a syringe that has been below 0 °C is not used, even if it looks unchanged. ",
        "supported",
        FREEZE,
      ),
      say(
        "One excursion of up to 25 °C is tolerated, for no more than 12 hours in total over the shelf life. ",
        "supported",
        TWELVE,
      ),
      say("Most couriers keep a spare cool box for such cases.", "unsupported"),
    ],
  },
];

export const answerTo = (question) => ANSWERS.find((answer) => answer.match.test(question));

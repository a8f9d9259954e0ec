"""Papers, decks and data of Research and its two running studies, HOARFROST and SNOWDROP."""

from __future__ import annotations

from content import Cell, Deck, Paper, Sheet, Slide, Workbook

HOARFROST = """
# 1 Synopsis
HOARFROST (CRD-417-201) is a randomised, double-blind, placebo-controlled, dose-finding phase 2 study of the oral compound CRD-417
in adults with heart failure with preserved ejection fraction (HFpEF).

^ Table 1. Study at a glance
| Item | Content |
| Investigational product | CRD-417 tablets 10 mg and 30 mg, matching placebo |
| Population | 412 adults with HFpEF at 52 sites in 14 countries |
| Randomisation | 1:1:1 to 10 mg, 30 mg or placebo once daily, stratified by region and atrial fibrillation |
| Duration | Screening up to 28 days, treatment 24 weeks, safety follow-up 4 weeks |
| Primary endpoint | Ratio of NT-proBNP at week 16 to baseline |
| Key secondary endpoint | Change of the KCCQ clinical summary score at week 24 |

# 2 Background
CRD-417 inhibits calcium/calmodulin-dependent protein kinase II delta. In study CRD-417-102 single doses up to 120 mg and repeated
doses up to 60 mg once daily for 14 days were tolerated by 84 healthy volunteers. The half-life was 19 hours, which supports dosing
once a day.

# 3 Objectives
The primary objective is to show that at least one dose of CRD-417 lowers NT-proBNP against placebo at week 16. The secondary
objectives are symptoms, exercise capacity (six-minute walk at week 24) and safety.

# 4 Eligibility
## 4.1 Main inclusion criteria
- Age 40 years or older with New York Heart Association class II or III symptoms for at least 3 months.
- Left ventricular ejection fraction of 50% or more within 6 months before screening.
- NT-proBNP of at least 300 pg/mL in sinus rhythm or at least 900 pg/mL in atrial fibrillation.

## 4.2 Main exclusion criteria
- Estimated glomerular filtration rate below 25 mL/min/1.73 m². (Version 2.0 of this protocol excluded patients below 30; the limit
was lowered by amendment 2.)
- QTcF above 460 ms in men or 470 ms in women.
- ALT or AST above 3 times the upper limit of normal.
- Treatment with a strong CYP2C8 inhibitor.

# 5 Treatment
CRD-417 or placebo is taken once daily with the morning meal. All patients randomised to 30 mg start with 10 mg for the first 2
weeks. A missed tablet may be taken until 20:00 on the same day.

# 6 Schedule of assessments
^ Table 2. Visits
| Assessment | Screening | Week 0 | Week 2 | Week 6 | Week 12 | Week 16 | Week 24 |
| Informed consent | X | - | - | - | - | - | - |
| NT-proBNP | X | X | - | X | X | X | X |
| ECG (triplicate) | X | X | X | X | X | X | X |
| Liver tests | X | X | X | - | X | X | X |
| KCCQ | - | X | - | - | X | - | X |
| PK sample (SOP-BL-018) | - | X | X | X | - | X | - |
| Six-minute walk | - | X | - | - | - | - | X |

# 7 Safety
## 7.1 Reporting
Investigators report every serious adverse event to CryoDyne within 24 hours of awareness. Adverse events of special interest are
ALT above 3 times the upper limit of normal, syncope and QTcF above 500 ms.

## 7.2 Individual stopping rules
Study treatment is stopped permanently if ALT exceeds 8 times the upper limit of normal, if ALT exceeds 5 times the upper limit for
more than 2 weeks, or if QTcF exceeds 500 ms on two triplicate recordings. For QTcF above 500 ms on one recording the ECG is
repeated within 24 hours.

## 7.3 Unblinding
Emergency unblinding is done by the investigator in the interactive response system; see SOP-PV-025.

# 8 Statistics
A sample of 412 patients gives 90% power to detect a ratio of 0.78 between an active dose and placebo at a two-sided alpha of 0.05
with Hochberg adjustment, assuming 12% drop-out.

## 8.1 Interim analysis
One unblinded interim analysis takes place when 206 patients have completed week 12. It is prepared by the independent statistical
group and seen only by the Data Monitoring Committee (see DMC-CRD417-01). The study team, the sponsor's management and the sites
remain blinded.

# 9 Data protection
Patients are identified by a seven-digit code. The key stays at the site for 25 years. Data sent from the European Union to the
United States are covered by standard contractual clauses.

# 10 Amendments
| Version | Date | Main change |
| 1.0 | 6 November 2023 | First approved version |
| 2.0 | 22 July 2024 | Six-minute walk added |
| 3.0 | 12 May 2025 | Amendment 2: eGFR limit lowered from 30 to 25; run-in of 2 weeks on 10 mg for the 30 mg arm |
"""

SNOWDROP = """
# 1 Synopsis
SNOWDROP (FRG-302) is an open-label, multicentre study of velmoflast granules in infants and toddlers with cryopyrin-associated
periodic syndromes aged 6 months to less than 2 years. Older children are covered by the product information of Frigevra.

^ Table 1. Cohorts
| Cohort | Age | Starting dose | Planned patients |
| A | 18 to less than 24 months | 0.8 mg/kg twice daily | 12 |
| B | 12 to less than 18 months | 0.6 mg/kg twice daily | 12 |
| C | 6 to less than 12 months | 0.4 mg/kg twice daily | 12 |

Each cohort starts with three sentinel patients. The next patients of the cohort are dosed only after the Safety Review Committee
has seen 14 days of safety data and the full pharmacokinetic profile of all three.

# 2 Rationale for the dose
The target is the exposure (AUC over 24 hours) of 9.4 µg·h/mL seen in adults on 50 mg twice daily. CYP3A4 is immature in the first
year, therefore the dose in mg/kg is lower than the 1 mg/kg approved from 2 years of age.

# 3 Objectives
Primary: pharmacokinetics of velmoflast at steady state (day 14). Secondary: safety, C-reactive protein and serum amyloid A at week
12, palatability on a five-point facial scale.

# 4 Eligibility
- Confirmed NLRP3 variant and active disease.
- Body weight of at least 6.0 kg.
- Absolute neutrophil count of at least 1.5 x 10^9/L.
- No live vaccine within 4 weeks before the first dose.

# 5 Dose escalation and de-escalation
If the mean AUC of a cohort is below 70% of the target, the dose of the cohort is raised by 0.2 mg/kg. If any patient exceeds 150%
of the target, the dose of that patient is halved and the cohort is paused until the committee has met. A dose above 1 mg/kg is
never given in this study.

# 6 Blood volume
Trial-related blood loss must not exceed 3% of the total blood volume during 4 weeks and 1% at any single time. Total blood volume
is taken as 80 mL/kg. Pharmacokinetic samples are 0.3 mL each and are collected as dried blood microsamples if a vein cannot be
found at the second attempt.

^ Table 2. Blood volume for a child of 8 kg
| Item | Volume |
| Estimated total blood volume | 640 mL |
| Limit in 4 weeks | 19.2 mL |
| Limit at one time | 6.4 mL |
| Planned in this study, 4 weeks | 7.8 mL |

# 7 Safety
Serious adverse events are reported within 24 hours. Treatment is interrupted if the absolute neutrophil count falls below 1.0 x
10^9/L or if fever above 39.0 °C lasts for more than 48 hours. Vaccination records are reviewed at every visit.

# 8 Consent
Written consent of both parents is required, or of one parent where national law allows it. A compensation of travel cost is paid;
no other payment is made.

# 9 Administration of the granules
The parent stirs the granules into 5 mL of water or breast milk and gives them by oral syringe. The mixture is used within 1 hour.
This differs from the product information, where mixing with water, apple sauce or yoghurt allows 2 hours.
"""

CHARTER = """
# 1 Purpose
This charter defines the duties of the independent Data Monitoring Committee (DMC) of HOARFROST (CRD-417-201).

# 2 Membership
The DMC has four members: two cardiologists, one hepatologist and one statistician. None of them is employed by CryoDyne or holds
its shares. The quorum is three members, one of whom must be the statistician.

# 3 Firewall
Unblinded reports are prepared by the independent statistical group and shared only with DMC members and the firewalled CryoDyne
biostatistician named in the access list. Nobody in the study team, in management or at the sites may ask for or receive unblinded
results.

# 4 Meetings
The DMC meets every 6 months and in addition for the interim analysis. Open sessions may be attended by the study team; closed
sessions are attended only by the members and the independent statistician. Reports are delivered 5 business days before a meeting.

# 5 Decision guidance
^ Table 1. Boundaries at the interim analysis
| Decision | Guidance |
| Stop for futility | Conditional power below 15% for both doses |
| Stop a dose for harm | Difference in ALT above 3 x ULN of more than 6 percentage points against placebo |
| Stop for efficacy | Not foreseen in a dose-finding study |

The boundaries are guidance; the DMC may recommend otherwise with written reasons.

# 6 Recommendations
The chair sends the recommendation in one of four forms to the sponsor within 2 business days: continue unchanged, continue with
changes, pause enrolment, or stop. The recommendation contains no unblinded data.

# 7 Records
Closed minutes are kept by the independent statistical group and released to CryoDyne after database lock.
"""

INTERIM = """
**RESTRICTED: unblinded data. Only for the Data Monitoring Committee and the firewalled biostatistician. Do not forward.**

# 1 Basis
The interim analysis includes 211 patients who had completed week 12 by the cut-off of 29 August 2025. It follows section 8.1 of the
protocol and the charter DMC-CRD417-01.

# 2 Efficacy
^ Table 1. NT-proBNP, ratio of week 12 to baseline, against placebo
| Arm | Patients | Ratio | 95% CI | Conditional power |
| 10 mg | 70 | 0.91 | 0.77 to 1.08 | 31% |
| 30 mg | 71 | 0.74 | 0.62 to 0.88 | 84% |
| Placebo | 70 | 1.00 | - | - |

On 30 mg NT-proBNP was lower than on placebo by 26% (ratio 0.74). The conditional power for the primary endpoint is 84% on 30 mg and
31% on 10 mg.

# 3 Safety
^ Table 2. Liver findings and deaths
| Finding | 10 mg | 30 mg | Placebo |
| ALT above 3 x ULN | 2 (2.9%) | 5 (7.0%) | 1 (1.4%) |
| ALT above 5 x ULN | 0 | 2 (2.8%) | 0 |
| Hy's law cases | 0 | 0 | 0 |
| Deaths | 1 | 0 | 1 |

ALT above 3 times the upper limit of normal occurred in 7.0% of the patients on 30 mg and 1.4% on placebo; the difference of 5.6
percentage points is just below the boundary of harm. All elevations began between week 4 and week 9.

===
# 4 Deliberation and recommendation
The committee recommends to continue the study with changes: a liver test is added at week 4 and week 6 in all arms, so that the
blind is kept. The committee will meet again when 300 patients have completed week 12.

# 5 Distribution
DMC members (4), independent statistical group (2), I. Kovac as firewalled biostatistician.
"""

ROWS: tuple[tuple[Cell, ...], ...] = tuple(
    (batch, condition, months, assay, impurity, water, "Complies" if impurity <= 0.5 else "Out of specification")
    for batch, condition, months, assay, impurity, water in (
        ("G24011", "25 °C / 60% RH", 0, 100.1, 0.05, 0.6),
        ("G24011", "25 °C / 60% RH", 6, 99.8, 0.09, 0.7),
        ("G24011", "25 °C / 60% RH", 12, 99.4, 0.14, 0.8),
        ("G24011", "25 °C / 60% RH", 18, 99.0, 0.19, 0.9),
        ("G24011", "25 °C / 60% RH", 24, 98.5, 0.26, 1.0),
        ("G24011", "30 °C / 65% RH", 12, 98.7, 0.31, 1.2),
        ("G24011", "30 °C / 65% RH", 18, 98.0, 0.47, 1.5),
        ("G24011", "40 °C / 75% RH", 3, 98.1, 0.38, 1.6),
        ("G24011", "40 °C / 75% RH", 6, 96.6, 0.71, 2.3),
        ("G24012", "25 °C / 60% RH", 0, 99.9, 0.05, 0.6),
        ("G24012", "25 °C / 60% RH", 12, 99.2, 0.15, 0.8),
        ("G24012", "25 °C / 60% RH", 24, 98.4, 0.27, 1.0),
        ("G24012", "40 °C / 75% RH", 6, 96.9, 0.64, 2.1),
        ("G24015", "25 °C / 60% RH", 0, 100.3, 0.04, 0.5),
        ("G24015", "25 °C / 60% RH", 12, 99.6, 0.13, 0.7),
        ("G24015", "30 °C / 65% RH", 18, 98.3, 0.44, 1.4),
        ("G24015", "40 °C / 75% RH", 6, 97.2, 0.49, 1.9),
    )
)

STEERING = (
    Slide("Decisions asked of the committee", (
        "Open six additional sites in Poland and Spain (cost USD 1.1 million).",
        "Release the contingency of USD 0.6 million for comparator packaging.",
        "Note that the interim analysis is seen only by the Data Monitoring Committee.",
    ), notes="No unblinded information may be discussed in this meeting."),
    Slide("Enrolment at 19 September 2025", (
        "287 of 412 patients are randomised at 46 active sites; the plan was 310.",
        "The screen failure rate is 38%, mostly because NT-proBNP was too low.",
        "Last patient in is now forecast for 27 March 2026, seven weeks later than planned.",
    ), (
        ("Region", "Sites", "Randomised", "Plan"),
        ("Western Europe", "18", "121", "118"),
        ("Central Europe", "9", "74", "80"),
        ("North America", "14", "66", "84"),
        ("Japan", "5", "26", "28"),
    )),
    Slide("Top risks", (
        "Expiry of tablet batch C417-008 on 31 January 2026: relabelling is approved in all countries but Japan.",
        "Echo core laboratory turnaround is 9 working days against a contract of 5.",
        "Two protocol deviations for missed week 6 ECG at site 1104.",
    )),
    Slide("Budget", ("Spend to date is USD 21.4 million of USD 38.0 million; the forecast at completion is USD 39.7 million.",), (
        ("Item", "Budget, USD m", "Forecast, USD m"),
        ("Sites and investigators", "17.2", "18.3"),
        ("Contract research organisation", "12.5", "12.9"),
        ("Central laboratories", "4.1", "4.3"),
        ("Supplies", "4.2", "4.2"),
    )),
    Slide("Next steps", (
        "Site initiation in Poland: 20 October 2025, owner Tomas Lindqvist.",
        "Country feasibility for phase 3: 15 December 2025, owner Amara Okafor.",
        "Next committee meeting: 11 December 2025.",
    )),
)  # fmt: skip

WORKS = (
    Paper("research/protocol-crd-417-201-hoarfrost.pdf", "HOARFROST: clinical study protocol", "CRD-417-201", "3.0", "12 May 2025",
          "Tomas Lindqvist, Clinical Project Lead", "Dr Amara Okafor, Head of Research", "Internal", HOARFROST),
    Paper("research/protocol-frg-302-snowdrop.pdf", "SNOWDROP: clinical study protocol in children under 2 years", "FRG-302", "2.1",
          "30 January 2025", "Tomas Lindqvist, Clinical Project Lead", "Dr Amara Okafor, Head of Research", "Internal", SNOWDROP),
    Paper("research/dmc-charter-hoarfrost.docx", "Charter of the Data Monitoring Committee, HOARFROST", "DMC-CRD417-01", "1.2",
          "4 December 2023", "Biostatistics", "Dr Amara Okafor, Head of Research", "Internal", CHARTER),
    Paper("research/dmc/hoarfrost-interim-analysis-unblinded.pdf", "HOARFROST: unblinded interim analysis", "IA-CRD417-201-1", "1.0",
          "26 September 2025", "Independent statistical group", "Chair of the Data Monitoring Committee", "Restricted", INTERIM),
    Deck("research/steering-committee-hoarfrost-2025-09.pptx", "HOARFROST steering committee",
         "CRD-417-201 · 25 September 2025 · Tomas Lindqvist", STEERING),
    Workbook("research/stability-velmoflast-granules.xlsx", "Stability of velmoflast granules", (
        Sheet("Results", "Stability of velmoflast 5 mg granules, study ST-FRG-019",
              ("Specification: assay 95.0 to 105.0%, impurity B not more than 0.5%, water not more than 3.0%.",),
              ("Batch", "Condition", "Months", "Assay (%)", "Impurity B (%)", "Water (%)", "Conclusion"), ROWS),
        Sheet("Conclusion", "Conclusion of study ST-FRG-019", (
            "At 25 °C / 60% RH all batches comply up to 24 months; this supports the shelf life of 24 months below 25 °C.",
            "At 40 °C / 75% RH batches G24011 and G24012 exceed the limit for impurity B at 6 months.",
            "The extension to 30 months will be proposed when the 30-month results are available in August 2026.",
        ), ("Prepared by", "Date"), (("Analytical Development, Basel", "2025-09-03"),)),
    )),
)  # fmt: skip

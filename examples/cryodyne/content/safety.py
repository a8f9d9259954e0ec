"""Papers and listings of Clinical Safety."""

from __future__ import annotations

from content import Paper, Sheet, Workbook

SOP_PV_012 = """
# 1 Purpose
This procedure describes how CryoDyne receives, records, assesses and reports individual case safety reports (ICSRs) for all
authorised and investigational products. It replaces SOP-PV-012 version 6.0 and withdraws the timelines of version 5.0.

# 2 Scope
The procedure applies to Clinical Safety in Basel, the case processing centre in Hyderabad, local safety officers in all
affiliates, and every employee or contractor who becomes aware of an adverse event. Signal detection is described in SOP-PV-020,
emergency unblinding in SOP-PV-025 and pregnancy follow-up in the guide GUI-PV-006.

# 3 Definitions
| Term | Meaning |
| Day 0 | The calendar day on which any CryoDyne employee, partner or vendor first holds the four minimum criteria |
| Minimum criteria | An identifiable patient, an identifiable reporter, a suspect product and an adverse event |
| Serious | Death, life-threatening, hospitalisation, disability, congenital anomaly or medically important |
| SUSAR | Suspected unexpected serious adverse reaction in a clinical study |
| VigiCore | The validated global safety database |

# 4 Roles and responsibilities
- **All employees** forward every adverse event to safety@cryodyne.example within one business day of becoming aware of it, also
when the four minimum criteria are not complete.
- **Case processor (Hyderabad)** books in the case, searches for duplicates, codes in MedDRA and writes the narrative.
- **Quality reviewer** checks the coded case against the source documents.
- **Safety physician** assesses seriousness, expectedness and causality and signs the medical review.
- **QPPV (Dr Lena Fischer, Frankfurt)** oversees compliance and is told of every late expedited case on the day it is found.

# 5 Procedure
## 5.1 Intake and triage
Every report is booked into VigiCore and triaged within one business day of receipt. Triage decides seriousness, product and
reporting clock. Fatal and life-threatening reports are flagged "red" and telephoned to the safety physician on call on the same
day.

## 5.2 Duplicate search
The case processor searches VigiCore by patient initials, age, country, product and event. A suspected duplicate is confirmed by
the quality reviewer before the cases are merged; the case with the earlier Day 0 remains the master case.

## 5.3 Internal timelines for serious cases
^ Table 1. Internal timelines, counted in calendar days from Day 0
| Step | Responsible | Complete by |
| Booking in and triage | Case processor | Day 1 |
| Data entry, coding and narrative | Case processor | Day 3 |
| Quality review | Quality reviewer | Day 5 |
| Medical review | Safety physician | Day 7 |
| Release for submission | Submission desk | Day 10 |

## 5.4 Regulatory reporting timelines
^ Table 2. Reporting timelines from Day 0
| Case type | Timeline | Destination |
| Serious, post-authorisation | 15 calendar days | EudraVigilance, FDA, other authorities |
| Non-serious, EEA, post-authorisation | 90 calendar days | EudraVigilance |
| SUSAR, fatal or life-threatening | 7 calendar days | EudraVigilance CTM, FDA, ethics committees |
| SUSAR, other | 15 calendar days | EudraVigilance CTM, FDA, ethics committees |

Serious post-authorisation cases are submitted to the authorities within 15 calendar days of Day 0. Fatal or life-threatening
SUSARs are submitted within 7 calendar days, and relevant follow-up information for them is sent within a further 8 calendar days.

## 5.5 Follow-up
For a serious case at least three written follow-up attempts are made at intervals of 14 calendar days. Follow-up for non-serious
cases is limited to one attempt unless the event is of special interest. Each attempt is recorded in VigiCore, also when it stays
unanswered.

## 5.6 Medical review and causality
Causality is assessed by the reporter and, independently, by the safety physician as related or not related. When the two differ,
the more conservative assessment drives the report. A company assessment never downgrades the reporter's.

## 5.7 Quality control
All fatal cases and all SUSARs receive a second quality review before release. For other cases a random sample of 10% is checked
each week; an error rate above 5% in critical fields opens a corrective action.

# 6 Late cases
A case submitted after its legal timeline is recorded as a deviation within 5 business days, with its root cause and a corrective
and preventive action. The monthly compliance target is 98% of expedited cases submitted on time; below 95% in any month the QPPV
informs the Head of Quality in writing.

# 7 Literature and solicited reports
Weekly literature screening covers two global databases and the local journals listed by each affiliate. Reports from patient
support programmes are solicited and are assessed for causality before the clock decision is made.

# 8 Records
Source documents and cases are kept for the life of the product and for at least 10 years after the last marketing authorisation
has ceased to exist.

# 9 Change history
| Version | Effective | Change |
| 5.0 | 1 March 2021 | Vendor model with outsourced data entry |
| 6.0 | 15 January 2024 | Data entry moved to Hyderabad |
| 7.0 | 1 September 2025 | Follow-up raised from two to three attempts; medical review brought forward to Day 7; 10% sample |
"""

SOP_PV_012_OLD = """
**SUPERSEDED.** This version was withdrawn on 15 January 2024. It is kept for inspection purposes only. The current version of
SOP-PV-012 is 7.0.

# 1 Purpose
This procedure describes how CryoDyne receives, records, assesses and reports individual case safety reports (ICSRs).

# 2 Scope
The procedure applies to Clinical Safety in Basel and to the contract vendor that performs data entry.

# 3 Roles
Case processors of the vendor enter data; safety physicians in Basel review each serious case; the QPPV oversees compliance.

# 4 Procedure
## 4.1 Intake and triage
Every report is booked in and triaged within two business days of receipt.

## 4.2 Internal timelines
^ Table 1. Internal timelines for serious cases, calendar days from Day 0
| Step | Complete by |
| Booking in and triage | Day 2 |
| Data entry and coding | Day 5 |
| Quality review | Day 8 |
| Medical review | Day 11 |
| Release for submission | Day 14 |

## 4.3 Follow-up
For a serious case at least two written follow-up attempts are made at intervals of 30 calendar days.

## 4.4 Quality control
A random sample of 5% of the cases is checked each month. All fatal cases receive a second review.

# 5 Late cases
A case submitted after its legal timeline is recorded as a deviation within 10 business days.

# 6 Records
Cases are kept for at least 10 years after the marketing authorisation has ceased to exist.

===
# Annex A. Vendor contact sheet
The vendor's hotline was closed on 31 December 2023. Reports that still reach the vendor are forwarded by post.

^ Table A1. Service levels of the former vendor
| Service | Target | Result 2023 |
| Serious cases entered by Day 5 | 95% | 91.2% |
| Coding accuracy | 97% | 96.4% |
| Follow-up letters sent on time | 90% | 83.0% |
"""

SOP_PV_020 = """
# 1 Purpose
This procedure defines how safety signals are detected, validated, prioritised, assessed and closed for CryoDyne products, in line
with the company's pharmacovigilance system master file.

# 2 Scope
It covers spontaneous, literature, study and registry data for authorised products. Aggregate review of ongoing blinded studies is
described in the safety monitoring plan of each study.

# 3 Roles
| Role | Responsibility |
| Signal lead | Runs the screening, keeps the signal tracker, writes the validation memo |
| Safety physician | Owns the medical judgement and the signal assessment report |
| Safety Management Team (SMT) | Decides on validation and on the outcome; meets monthly |
| QPPV | Chairs the SMT for authorised products; informs authorities of emerging safety issues |

# 4 Detection
## 4.1 Frequency of screening
Products are screened monthly during the first two years after their first authorisation and quarterly thereafter. Products under
additional monitoring are screened every two weeks.

## 4.2 Statistical threshold
A drug-event pair is listed for review when the lower bound EB05 is 2.0 or higher and there are at least three cases. Designated
medical events are reviewed from the first case, whatever the statistics.

^ Table 1. Screening plan 2025
| Product | First authorisation | Frequency | Designated events of interest |
| Glacyra (quorvatinib) | 11 April 2024 | Monthly | QTc prolongation, hepatotoxicity, retinal detachment |
| Frigevra (velmoflast) | 6 May 2021 | Quarterly | Serious infection, neutropenia |
| Algentis (brosnelimab) | 19 September 2022 | Quarterly | Anaphylaxis, malignancy |

# 5 Validation
The signal lead completes the validation memo within 30 calendar days of detection. The memo records the number of cases, strength
of the association, biological plausibility, confounders and whether the event is already listed.

# 6 Prioritisation
^ Table 2. Priority and time allowed for assessment
| Priority | Criteria | Assessment complete within |
| Urgent | Possible serious public health impact | 14 calendar days |
| High | Serious, unlisted, or affects a vulnerable population | 60 calendar days |
| Routine | Any other validated signal | 90 calendar days |

High-priority signals are assessed within 60 calendar days of validation, and routine signals within 90 calendar days.

# 7 Emerging safety issues
A safety issue that may change the benefit-risk balance is reported by the QPPV to the competent authorities as soon as possible
and no later than 3 working days after it has been established. Regulatory Affairs is informed at the same time, so that a labelling
change can be prepared under SOP-RA-004.

# 8 Assessment and closure
The signal assessment report is confidential to the safety physicians until the SMT has decided. The outcome is one of: refuted;
continue monitoring; confirmed as potential risk; confirmed as identified risk. The tracker is updated within 2 business days of
the decision.

# 9 Records and indicators
| Indicator | Target | 2024 result |
| Screening performed on schedule | 100% | 98.9% |
| Validation memo within 30 days | 95% | 96.7% |
| Tracker updated within 2 business days | 95% | 93.1% |

# 10 Change history
Version 4.0 introduces the two-weekly screening of products under additional monitoring. Version 3.0 screened these monthly.
"""

SIGNAL = """
# 1 Summary
This report assesses the validated signal of **acute pancreatitis** with quorvatinib (Glacyra). It is restricted to the safety
physicians until the Safety Management Team has decided (SOP-PV-020, section 8).

The signal was detected on 6 October 2025 in the monthly screening with an EB05 of 2.7 and validated on 24 October 2025 with high
priority. The assessment is due on 23 December 2025.

# 2 Data
Up to the data lock point of 31 October 2025, 14 cases of acute pancreatitis were reported against an estimated exposure of 2,180
patient-years. Nine cases had no alternative cause. Two cases were fatal.

^ Table 1. Cases by certainty
| Category | Cases | Median time to onset |
| Confirmed by lipase above 3 x ULN and imaging | 9 | 38 days |
| Confirmed by lipase only | 3 | 52 days |
| Insufficient information | 2 | not known |

Positive dechallenge was reported in 6 cases and positive rechallenge in 1 case (CD-2025-003902).

# 3 Study data
In study GLA-301 lipase increases were reported in 6.4% of patients; no case of clinical pancreatitis was adjudicated.

# 4 Medical judgement
The assessors conclude that a causal relationship is at least a reasonable possibility and propose to classify acute pancreatitis
as an important identified risk.

# 5 Proposed action
1. Add a warning on pancreatitis and lipase monitoring every 4 weeks to section 4.4 of the product information.
2. Add acute pancreatitis to section 4.8 with the frequency "uncommon".
3. Send a direct healthcare professional communication in the EEA, Switzerland, the US and Japan.
4. Submit a type II variation within 60 calendar days of the SMT decision.

# 6 Signatures
Dr Mei Tanaka, Senior Safety Physician, 14 November 2025. Dr Lena Fischer, QPPV, 17 November 2025.
"""

HEADER = ("Case number", "Country", "Age", "Sex", "Preferred term", "Serious", "Latency (days)", "Action taken", "Outcome", "Company causality")  # fmt: skip
LISTING = (
    ("CD-2025-003611", "DE", 61, "F", "Hyperphosphataemia", "No", 9, "Dose not changed", "Recovered", "Related"),
    ("CD-2025-003640", "US", 57, "M", "Electrocardiogram QT prolonged", "Yes", 8, "Drug withdrawn", "Recovered", "Related"),
    ("CD-2025-003655", "FR", 70, "F", "Alanine aminotransferase increased", "No", 29, "Dose reduced", "Recovering", "Related"),
    ("CD-2025-003702", "JP", 66, "M", "Detachment of retinal pigment epithelium", "Yes", 44, "Drug interrupted", "Recovered",
     "Related"),
    ("CD-2025-003718", "US", 49, "F", "Alopecia", "No", 31, "Dose not changed", "Not recovered", "Related"),
    ("CD-2025-003777", "IT", 73, "M", "Pneumonia", "Yes", 60, "Drug interrupted", "Recovered", "Not related"),
    ("CD-2025-003781", "CH", 58, "F", "Dry mouth", "No", 12, "Dose not changed", "Not recovered", "Related"),
    ("CD-2025-003846", "ES", 64, "M", "Diarrhoea", "No", 5, "Dose not changed", "Recovered", "Related"),
    ("CD-2025-003850", "US", 69, "F", "Hyperphosphataemia", "Yes", 17, "Dose reduced", "Recovered", "Related"),
    ("CD-2025-003899", "DE", 55, "M", "Onycholysis", "No", 78, "Dose reduced", "Recovering", "Related"),
    ("CD-2025-003902", "US", 62, "M", "Lipase increased", "Yes", 35, "Drug interrupted", "Recovered", "Related"),
    ("CD-2025-003944", "GB", 71, "F", "Fall", "Yes", 102, "Dose not changed", "Recovered", "Not related"),
    ("CD-2025-003960", "JP", 59, "F", "Hepatic function abnormal", "Yes", 22, "Drug withdrawn", "Recovering", "Related"),
    ("CD-2025-004013", "FR", 67, "M", "Vision blurred", "No", 40, "Dose not changed", "Recovered", "Related"),
    ("CD-2025-004051", "US", 74, "M", "Cardiac arrest", "Yes", 13, "Not applicable", "Fatal", "Related"),
    ("CD-2025-004088", "CA", 60, "F", "Nausea", "No", 3, "Dose not changed", "Recovered", "Related"),
    ("CD-2025-004120", "AT", 65, "F", "Electrocardiogram QT prolonged", "Yes", 21, "Dose reduced", "Recovered", "Related"),
    ("CD-2025-004177", "US", 52, "M", "Stomatitis", "No", 15, "Dose not changed", "Recovered", "Related"),
    ("CD-2025-004203", "DE", 63, "M", "Dry eye", "No", 50, "Dose not changed", "Not recovered", "Related"),
    ("CD-2025-004246", "NL", 68, "F", "Acute kidney injury", "Yes", 26, "Drug interrupted", "Recovered", "Not related"),
)  # fmt: skip

SUMMARY = (
    ("Hyperphosphataemia", 212, 9, 0),
    ("Electrocardiogram QT prolonged", 31, 27, 0),
    ("Alanine aminotransferase increased", 66, 14, 0),
    ("Detachment of retinal pigment epithelium", 19, 11, 0),
    ("Lipase increased", 23, 6, 0),
    ("Cardiac arrest", 1, 1, 1),
)

WORKS = (
    Paper("clinical-safety/sop-pv-012-case-processing.docx", "Processing of individual case safety reports", "SOP-PV-012", "7.0",
          "1 September 2025", "Head of Case Processing, Clinical Safety", "Dr Lena Fischer, QPPV", "Internal", SOP_PV_012),
    Paper("clinical-safety/archive/sop-pv-012-case-processing-v5-superseded.pdf",
          "Processing of individual case safety reports (SUPERSEDED)", "SOP-PV-012", "5.0", "1 March 2021",
          "Head of Case Processing, Clinical Safety", "Dr Lena Fischer, QPPV", "Internal", SOP_PV_012_OLD),
    Paper("clinical-safety/sop-pv-020-signal-management.pdf", "Signal management", "SOP-PV-020", "4.0", "1 July 2025",
          "Signal Management, Clinical Safety", "Dr Lena Fischer, QPPV", "Internal", SOP_PV_020),
    Paper("clinical-safety/signals/signal-assessment-quorvatinib-pancreatitis.docx",
          "Signal assessment report: quorvatinib and acute pancreatitis", "SAR-GLA-2025-003", "1.0 (draft for SMT)",
          "17 November 2025", "Dr Mei Tanaka, Senior Safety Physician", "Pending: Safety Management Team", "Restricted", SIGNAL),
    Workbook("clinical-safety/ae-line-listing-quorvatinib-2025-q3.xlsx", "Line listing, quorvatinib, third quarter 2025", (
        Sheet("Line listing", "Line listing of case reports: Glacyra (quorvatinib), 1 July to 30 September 2025",
              ("Extract of VigiCore on 7 October 2025; excerpt of 20 of 614 cases. Patients are coded; no names are held here.",),
              HEADER, LISTING),
        Sheet("Summary", "Cases by preferred term, third quarter 2025", ("All 614 cases of the quarter.",),
              ("Preferred term", "Cases", "Serious", "Fatal"), SUMMARY),
    )),
)  # fmt: skip

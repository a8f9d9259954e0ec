"""Papers and calendars of Regulatory Affairs."""

from __future__ import annotations

from content import Paper, Sheet, Workbook

SOP_RA_004 = """
# 1 Purpose
This procedure governs changes to the terms of marketing authorisations: how a proposed change is classified, prepared, submitted
and implemented in the EEA, Switzerland, the United States and Japan.

# 2 Scope
It applies to quality, clinical and labelling changes of all CryoDyne products. It does not apply to renewals or transfers of
authorisations. The quick table of classifications is kept in GUI-RA-011.

# 3 Roles
- **Change owner** raises the change control record in DocuNord and supplies the technical data.
- **Regulatory lead** classifies the change in each region and owns the submission plan.
- **Labelling Committee** approves every change of the product information before it is submitted.
- **Submission Operations** compiles, validates and dispatches the sequence.

# 4 Procedure
## 4.1 Regulatory assessment
The regulatory lead completes the regulatory assessment of a change control record within 10 business days. Production may not
release a changed batch before the assessment is signed.

## 4.2 Classification in the EEA
^ Table 1. Variation types and procedure
| Type | Nature | Procedure | Implementation |
| IA | Minimal or no impact | Notify within 12 months, in the annual update | Before notification |
| IA (immediate) | Minimal impact, supervision needed | Notify without delay | Before notification, notify within 14 days |
| IB | Minor, by default | Notify and wait 30 days | After 30 days without objection |
| II | Major | Assessment, 60 days as standard | After approval |

A type IB variation may be implemented when 30 days have passed after validation without an objection. Urgent safety restrictions
follow section 4.6.

## 4.3 Classification in the United States
^ Table 2. Categories in the United States
| Category | Nature | Implementation |
| Annual report | Minimal potential for an adverse effect | At once; described in the next annual report |
| CBE-0 | Moderate, or strengthening of a warning | On receipt by the agency |
| CBE-30 | Moderate | 30 days after receipt |
| Prior approval supplement | Substantial | After approval, goal date 4 months |

## 4.4 Switzerland and Japan
In Switzerland the classes IA, IAIN, IB and II are used with national forms. In Japan a partial change approval takes about 12
months; minor changes are notified within 30 days of implementation or shipment.

## 4.5 Labelling changes
When Clinical Safety confirms a signal, the company core data sheet is updated within 30 calendar days and the national texts are
submitted within 60 calendar days of the decision of the Safety Management Team, unless an authority sets a shorter time.

## 4.6 Urgent safety restriction
The regulatory lead informs the authority at once; the restriction may be introduced 24 hours later if no objection is raised. The
corresponding variation is submitted no later than 15 calendar days after the restriction has begun.

# 5 Implementation
Approved changes are implemented in packaging within 6 months for quality changes and 3 months for safety labelling changes. The
implementation date is recorded in DocuNord within 5 business days.

# 6 Grouping and worksharing
Changes that are consequences of one another are grouped. The same change in several authorisations is submitted as a worksharing
procedure, planned with at least 3 months' notice to the reference authority.

# 7 Indicators
The target is that 95% of assessments are completed on time and that no batch is released against an unapproved change.

# 8 Change history
| Version | Effective | Change |
| 4.0 | 2 May 2022 | Assessment within 15 business days |
| 5.0 | 1 April 2025 | Assessment within 10 business days; annual update for type IA |
"""

TYPE_C = """
# 1 Meeting
Type C meeting on the development of CRD-417 in heart failure with preserved ejection fraction, held by videoconference on 21 October
2025 from 10:00 to 11:00 Eastern Time. These minutes are CryoDyne's own; the official minutes of the agency were received on 19
November 2025 and do not differ in substance.

^ Table 1. Participants of CryoDyne
| Name | Function |
| Claire Dubois | Head of Regulatory Affairs |
| Tomas Lindqvist | Clinical Project Lead |
| Dr Mei Tanaka | Senior Safety Physician |
| Anneke de Vries | Submission Operations |

# 2 Questions and answers
## 2.1 Question 1: primary endpoint of phase 3
CryoDyne asked whether the KCCQ clinical summary score at week 26 could be the single primary endpoint. The agency did not agree. It
asked for a composite of cardiovascular death and total heart failure events as the primary endpoint, and accepts the KCCQ as the
first key secondary endpoint.

## 2.2 Question 2: size of the safety database
The agency expects at least 1,500 patients exposed in total, of whom 600 for 6 months and 100 for 12 months at the proposed dose or
higher.

## 2.3 Question 3: thorough QT study
The agency agrees that a concentration-QTc analysis can replace a thorough QT study, provided that exposure reaches at least twice
the therapeutic maximum concentration.

## 2.4 Question 4: renal impairment
A dedicated study in severe renal impairment is required before phase 3 includes patients with an eGFR below 25 mL/min/1.73 m².

## 2.5 Question 5: paediatric plan
The initial paediatric study plan is due within 60 calendar days of the end-of-phase-2 meeting. The agency is inclined to grant a
full waiver because HFpEF does not occur in children.

# 3 Actions
| No. | Action | Owner | Due |
| 1 | Revise the phase 3 synopsis with the composite endpoint | Tomas Lindqvist | 16 January 2026 |
| 2 | Protocol of the renal impairment study | Tomas Lindqvist | 27 February 2026 |
| 3 | Draft of the initial paediatric study plan | Anneke de Vries | 30 April 2026 |
| 4 | Exposure table for the safety database | Dr Mei Tanaka | 30 January 2026 |
"""

INSPECTION = """
# 1 Summary
The national competent authority inspected the sterile filling site in Cork from 2 to 6 June 2025 for compliance with good
manufacturing practice. The scope was aseptic filling and inspection of Algentis pre-filled pens and syringes. This is CryoDyne's
edited copy of the report of 4 July 2025 with the agreed responses.

The inspection found no critical, two major and six other deficiencies. The certificate of compliance was renewed until 6 June
2028 after the responses had been accepted on 12 September 2025.

# 2 Inspection team and areas
Two inspectors visited filling line 3, visual inspection, the quality control laboratory, the cold store and the data centre of the
manufacturing execution system.

# 3 Findings
^ Table 1. Deficiencies
| No. | Class | Finding |
| 1 | Major | Interventions in media fills did not represent the routine: the replacement of a stopper bowl was not simulated |
| 2 | Major | Audit trail review of the filter integrity tester was not performed for 7 of 24 batches |
| 3 | Other | Cold store alarm CS-2 was acknowledged after 74 minutes; the procedure allows 30 minutes |
| 4 | Other | Three of 20 training records lacked the effective version of the procedure |
| 5 | Other | Worn gasket at the isolator glove port 6 |
| 6 | Other | Visual inspection rest breaks of 10 minutes per hour were not documented |
| 7 | Other | Log book of balance QC-114 with two unexplained corrections |
| 8 | Other | Supplier audit of the needle shield was overdue by 4 months |

# 4 Responses
## 4.1 Major deficiency 1
Media fill protocol MF-31 was revised on 18 July 2025 to simulate all routine interventions. Three consecutive media fills were
completed by 29 August 2025 without growth.

## 4.2 Major deficiency 2
Audit trails of all 24 batches were reviewed in retrospect; no data integrity issue was found. Batch release now requires the signed
audit trail review (change control CC-2025-0418).

## 4.3 Other deficiencies
^ Table 2. Commitments
| Deficiency | Commitment | Due | Status at 30 September 2025 |
| 3 | Alarm routed to the duty engineer's telephone | 31 July 2025 | Closed |
| 4 | Training matrix reconciled every month | 31 August 2025 | Closed |
| 5 | Glove port gaskets replaced every 6 months | 31 July 2025 | Closed |
| 6 | Breaks recorded in the batch record | 30 September 2025 | Closed |
| 7 | Refresher on good documentation practice | 31 October 2025 | Open |
| 8 | Audit of the supplier | 14 November 2025 | Open |

# 5 Next inspection
The next routine inspection is expected in the second quarter of 2028. A for-cause inspection may take place at any time.
"""

STRATEGY = """
# 1 Purpose
Confidential negotiating position for the response to the day 120 list of questions on the extension of Algentis to children aged 6
to 11 years. Only for regulatory leads; not for affiliates, partners or the study teams.

# 2 Where we stand
The list of questions of 9 October 2025 contains one major objection: the efficacy of the 75 mg dose in children weighing less than
25 kg rests on 41 patients. The clock is stopped until 9 January 2026.

# 3 Position
^ Table 1. Positions
| Topic | Opening position | Fallback |
| Weight limit | Indication for all children from 6 years | Restrict the indication to children weighing 25 kg or more |
| Post-authorisation study | Registry of 150 children | Registry of 300 children with annual reports |
| Growth data | Literature and 52-week data | Commit to 3-year growth follow-up |

We open with the full age group and accept, as a fallback, an indication restricted to children weighing 25 kg or more. We do not
accept a delay for a new randomised study; in that case the application is withdrawn before day 180.

# 4 Commercial effect
A restriction to 25 kg or more lowers the forecast peak sales of the extension from EUR 140 million to EUR 96 million.

# 5 Approval
Position approved by the regulatory leads on 5 November 2025; to be reviewed after the clarification meeting of 25 November 2025.
"""

CALENDAR = (
    ("Algentis", "EEA", "Extension of indication, children 6 to 11 years: day 120 responses", "2026-01-09", "Anneke de Vries", "On track"),
    ("Glacyra", "US", "Response to information request on dissolution", "2026-01-16", "Jonas Weber", "On track"),
    ("Algentis", "EEA", "Renewal of the marketing authorisation", "2026-12-18", "Jonas Weber", "Planned"),
    ("Frigevra", "US", "Annual report", "2026-07-02", "Anneke de Vries", "Planned"),
    ("Glacyra", "EEA", "Type IB: new supplier of the desiccant", "2026-03-12", "Jonas Weber", "Planned"),
    ("Glacyra", "JP", "New drug application", "2026-05-29", "Claire Dubois", "At risk"),
    ("Algentis", "CH", "Type II: shelf life of 36 months", "2026-03-31", "Jonas Weber", "On track"),
    ("Algentis", "EEA", "Type IA annual update", "2026-06-10", "Anneke de Vries", "Planned"),
    ("CRD-417", "US", "End-of-phase-2 meeting request", "2026-09-15", "Claire Dubois", "Planned"),
    ("CRD-417", "EEA", "Scientific advice on phase 3", "2026-10-06", "Claire Dubois", "Planned"),
    ("Frigevra", "US", "Supplement: 5 mg granules, children from 6 months", "2026-11-20", "Jonas Weber", "At risk"),
)  # fmt: skip

WORKS = (
    Paper("regulatory-affairs/sop-ra-004-variations.docx", "Changes to marketing authorisations", "SOP-RA-004", "5.0", "1 April 2025",
          "Regulatory Lifecycle Management", "Claire Dubois, Head of Regulatory Affairs", "Internal", SOP_RA_004),
    Paper("regulatory-affairs/minutes-type-c-meeting-crd-417.pdf", "Minutes: Type C meeting on CRD-417", "MIN-RA-2025-031", "1.0",
          "20 November 2025", "Regulatory Affairs", "Claire Dubois, Head of Regulatory Affairs", "Confidential", TYPE_C),
    Paper("regulatory-affairs/inspection-report-cork-2025.pdf", "GMP inspection of the Cork site: report and responses",
          "INS-CRK-2025-01", "2.0", "30 September 2025", "Quality Assurance, Cork", "Helga Brandt, Head of Quality Assurance",
          "Confidential", INSPECTION),
    Paper("regulatory-affairs/strategy/day-120-response-strategy-algentis.docx", "Algentis, children 6 to 11 years: response strategy",
          "STR-ALG-2025-02", "1.0", "5 November 2025", "Claire Dubois, Head of Regulatory Affairs", "Regulatory leads", "Restricted",
          STRATEGY),
    Workbook("regulatory-affairs/submission-calendar-2026.xlsx", "Submission calendar 2026", (
        Sheet("Calendar", "Submission calendar 2026", ("State at 24 November 2025. Dates are planned dispatch dates.",),
              ("Product", "Region", "Submission", "Planned date", "Owner", "Status"), CALENDAR),
        Sheet("Remarks", "Remarks on submissions at risk", (
            "Glacyra, Japan: the bridging report depends on 12-month stability of the Osaka packaging line, due on 30 April 2026.",
            "Frigevra granules from 6 months, US: depends on cohort C of SNOWDROP (FRG-302), which has not started.",
        ), ("Last change by", "Date"), (("Anneke de Vries", "2025-11-24"),)),
    )),
)  # fmt: skip

"""Papers and decks that everybody at CryoDyne may read."""

from __future__ import annotations

from content import Deck, Paper, Slide

DOCUMENT_CONTROL = """
# 1 Purpose
This procedure describes how controlled documents (policies, SOPs, guides, forms) are written, reviewed, approved, made effective,
revised, archived and destroyed.

# 2 Scope
All sites and all GxP documents. Study documents of the trial master file follow SOP-CL-007.

# 3 Numbering
| Prefix | Kind | Example |
| SOP-PV | Procedure of Clinical Safety | SOP-PV-012 |
| SOP-RA | Procedure of Regulatory Affairs | SOP-RA-004 |
| SOP-BL | Procedure of the bioanalytical laboratory | SOP-BL-018 |
| SOP-QA | Procedure of Quality Assurance | SOP-QA-001 |
| HR-POL | Policy of Human Resources | HR-POL-003 |
| GUI | Guide, not binding by itself | GUI-PV-006 |

# 4 Life cycle
1. The author drafts the document in DocuNord from the current template.
2. Two subject matter experts review it within 10 business days.
3. The process owner and Quality Assurance sign electronically.
4. Readers are trained during a period of 14 calendar days between approval and the effective date.
5. The previous version is marked "superseded" on the effective date.

## 4.1 Versions
A major change raises the version to the next whole number; an editorial change raises the digit after the point and needs no new
training.

## 4.2 Periodic review
Every SOP is reviewed at the latest 24 months after its effective date, every policy after 36 months. A document whose review is
overdue by more than 60 days is reported to the Quality Council.

## 4.3 Printed copies
Printed copies are not controlled, with the exception of stamped copies in laboratories and production. Stamped copies are withdrawn
within 2 business days after a new version has become effective.

# 5 Deviations from a procedure
A planned deviation is approved by Quality Assurance beforehand and is valid for at most 30 days. An unplanned deviation is recorded
in DocuNord within 1 business day of discovery and investigated within 30 calendar days.

# 6 Retention
| Record | Retention |
| Superseded SOPs | 30 years |
| Training records | Employment plus 10 years |
| Batch records | 1 year after expiry, at least 5 years |
| Pharmacovigilance records | Life of the product plus 10 years |

# 7 Electronic signatures
A signature consists of the printed name, date, time and meaning. Sharing of signing credentials leads to disciplinary action.
"""

BREACH = """
# 1 Purpose
This procedure says what to do when personal data or protected health information (PHI) may have been lost, disclosed or altered.

# 2 Roles
- **Everyone** reports a suspected breach at once, and at the latest 4 hours after noticing it, to privacy@cryodyne.example or by
telephone to the security desk.
- **Data Protection Officer (Dr Nora Steiner)** leads the assessment under the GDPR.
- **HIPAA Privacy Officer (Marcus Reed, Wakefield)** leads the assessment for the United States.
- **Information Security** contains the incident and keeps the evidence.

# 3 Assessment
The incident team meets within 8 hours of the report. It records what data are concerned, how many people, the likely consequences
and the measures taken. Risk is rated low, medium or high with form PRV-F-02.

# 4 Notification
^ Table 1. Time limits
| Law | To whom | Limit |
| GDPR | Lead supervisory authority | 72 hours after becoming aware |
| GDPR | Persons concerned, if the risk is high | Without undue delay |
| HIPAA, 500 or more persons | Persons concerned, federal department, media | 60 calendar days after discovery |
| HIPAA, fewer than 500 persons | Persons concerned | 60 calendar days after discovery |
| HIPAA, fewer than 500 persons | Federal department | 60 days after the end of the calendar year |
| Swiss data protection act | Federal commissioner, if the risk is high | As soon as possible |

The supervisory authority is notified within 72 hours after CryoDyne has become aware of the breach. For PHI the persons concerned
are notified without unreasonable delay and no later than 60 calendar days after discovery.

# 5 Processors
Contracts oblige processors to inform CryoDyne of a breach within 24 hours. Business associates under HIPAA inform CryoDyne within
5 business days.

# 6 Afterwards
Lessons learned are reviewed within 30 days. The register of breaches is kept for 6 years.

# 7 Exercise
A breach exercise takes place every 12 months. The last one, on 17 September 2025, found that the list of on-call lawyers was out of
date.
"""

NOTICE = """
# 1 Who we are
CryoDyne AG, Kaltwasserstrasse 12, Basel, is the controller of the personal data described here, together with the CryoDyne company
that employs you. You reach the Data Protection Officer, Dr Nora Steiner, at privacy@cryodyne.example.

# 2 What data we use
We use contact data, contract and salary data, working time, training records, travel data, system logs and, where the law
requires it, health data such as certificates of incapacity for work.

# 3 Why and on what basis
^ Table 1. Purposes and legal bases
| Purpose | Legal basis |
| Employment and payroll | Contract |
| GxP training records | Legal obligation |
| Security of systems and buildings | Legitimate interest |
| Birthday calendar and photographs | Consent |
| Occupational health | Legal obligation in employment law |

# 4 How long we keep data
^ Table 2. Retention
| Data | Retention |
| Personnel file | 10 years after the end of employment |
| Payroll records | 10 years |
| Applications that were not successful | 6 months |
| Video recordings at entrances | 72 hours |
| Access badge logs | 90 days |
| System logs | 180 days |
| Questions to the knowledge assistants | 180 days |

Applications that were not successful are deleted 6 months after the decision. Recordings of the cameras at entrances are
overwritten after 72 hours.

# 5 Knowledge assistants
Questions put to the knowledge assistants and the answers are stored for 180 days, so that answers can be checked and cost can be
attributed to departments. Managers do not see the questions of single employees. The answers are never used for decisions about
employees.

# 6 Transfers abroad
Data are transferred to CryoDyne companies in the United States, Japan and India under standard contractual clauses. The payroll
provider works in Ireland.

# 7 Your rights
You may ask for access, rectification, erasure, restriction and portability, and you may object. Requests are answered within one
month. You may complain to the supervisory authority of your country.

===
# 8 Patients and study participants
Study participants receive a separate information sheet from their study site. CryoDyne sees only coded data. In the United States
sites disclose protected health information on the basis of a signed authorisation, which expires at the end of the study plus 5
years unless it is revoked.

# 9 Changes
This notice was last changed on 1 July 2025: section 5 on knowledge assistants is new.
"""

TOWN_HALL = (
    Slide("2025 in figures", (
        "Net sales in the first nine months were CHF 1.84 billion, an increase of 11%.",
        "CryoDyne has 4,310 employees at 9 sites.",
        "We spend 24% of net sales on research and development.",
    ), (
        ("Product", "Net sales, CHF million", "Growth"),
        ("Algentis", "902", "+19%"),
        ("Frigevra", "611", "+2%"),
        ("Glacyra", "298", "+14%"),
        ("Other", "29", "-31%"),
    )),
    Slide("Quality and safety", (
        "98.6% of expedited safety reports were submitted on time in October.",
        "The Cork inspection ended without a critical finding.",
        "Lost-time accidents fell to 1.2 per million hours worked.",
    )),
    Slide("People", (
        "Employee engagement is 78 points, 3 points more than in 2024.",
        "The new building 7 in Basel opens on 4 May 2026 with 320 desks and two laboratories.",
        "The share purchase plan opens for subscription from 2 to 20 February 2026 with a discount of 15%.",
    )),
    Slide("Sustainability", (
        "By 2030 we will halve emissions of scopes 1 and 2 against 2019; we stand at minus 34%.",
        "Cork uses only renewable electricity since July 2025.",
    )),
    Slide("Questions from the floor", (
        "Will Frigevra lose exclusivity? The European compound patent expires in November 2033.",
        "Is a four-day week planned? No; the pilot in Osaka ended without a follow-up.",
    )),
)  # fmt: skip

WORKS = (
    Paper("company/quality/sop-qa-001-document-control.docx", "Document control", "SOP-QA-001", "9.0", "3 February 2025",
          "Quality Assurance", "Helga Brandt, Head of Quality Assurance", "Internal", DOCUMENT_CONTROL),
    Paper("company/privacy/sop-dp-002-personal-data-breach.docx", "Personal data breaches", "SOP-DP-002", "3.0", "1 October 2025",
          "Data Protection Office", "Dr Nora Steiner, Data Protection Officer", "Internal", BREACH),
    Paper("company/privacy/data-protection-notice-employees.pdf", "Data protection notice for employees", "NOT-DP-001", "5.0",
          "1 July 2025", "Data Protection Office", "Dr Nora Steiner, Data Protection Officer", "Internal", NOTICE),
    Deck("company/town-hall-2025-q4.pptx", "Town hall, fourth quarter 2025", "Basel and by video · 18 November 2025", TOWN_HALL),
)  # fmt: skip

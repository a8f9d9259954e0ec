"""Policies, plans and tables of Human Resources, some of them in German."""

from __future__ import annotations

from content import Cell, Deck, Paper, Sheet, Slide, Workbook

GERMAN = ("Dokumentnummer", "Version", "Gültig ab", "Verantwortlich", "Freigegeben durch")

PARENTAL = """
# 1 Purpose
CryoDyne wants every parent to have time with a new child. This policy sets the global minimum; where the law or a local agreement
gives more, the better rule applies.

# 2 Who is covered
All employees with a CryoDyne contract from their first day, full-time or part-time, for birth, adoption and long-term fostering.
Contractors are covered by their own employer.

# 3 Entitlement
^ Table 1. Paid leave
| Situation | Leave | Pay |
| Parent who gives birth | 20 weeks | 100% of base salary |
| Other parent | 12 weeks | 100% of base salary |
| Adoption of a child under 12 years, each parent | 12 weeks | 100% of base salary |
| Long-term fostering | 4 weeks | 100% of base salary |
| Pregnancy loss after week 12 | 3 weeks | 100% of base salary |

The parent who gives birth receives 20 weeks of fully paid leave, of which at least 14 weeks are taken without interruption after
the birth. The other parent receives 12 weeks of fully paid leave, to be taken within 12 months of the birth in up to three blocks.

## 3.1 Premature birth
If the child stays in hospital for more than 14 days after birth, paid leave is extended by the length of the stay, at most by 8
weeks.

## 3.2 Unpaid leave
Up to 26 weeks of unpaid parental leave may follow. Pension contributions of the employer continue during the first 12 weeks.

# 4 How to apply
Employees tell their manager and HR at least 10 weeks before the planned start, with the form HR-F-12 in the HR portal. HR confirms
within 10 business days. A change of dates needs 4 weeks' notice, except for medical reasons.

# 5 Returning to work
Employees return to the same or an equal position. For the first 8 weeks after return, working time may be reduced to 80% at full
pay. A nursing room is available at every site with more than 50 employees.

# 6 GxP roles
Employees in GxP roles complete the training that was assigned during their absence before they resume the tasks concerned, and at
the latest 30 days after return.

# 7 Local supplements
| Country | Supplement |
| Switzerland | Daycare contribution of CHF 400 a month until the child is 4 years old |
| Germany | Elternzeit under national law; see the works agreement of Frankfurt |
| Ireland | Phased return of 3 days a week for 4 weeks |
| United States | Short-term disability runs in parallel with the paid leave |
| India | Birth parents receive 26 weeks under national law, which replaces the 20 weeks |

# 8 Contact
Questions go to hr@cryodyne.example. This policy is reviewed every two years by Petra Hofmann, Head of Human Resources.
"""

TRAVEL = """
# 1 Purpose
This policy sets out how business travel is approved, booked and reimbursed. Its aims are safety, sensible cost and lower emissions.

# 2 Approval
Trips within a country need the approval of the line manager. Trips abroad need the approval of the line manager and of the
department head, at least 14 days before departure. Meetings of less than 4 hours are held by video.

# 3 Booking
All flights, trains and hotels are booked in the travel portal. Bookings outside the portal are reimbursed only if the portal had
no offer and the travel desk confirmed this in writing.

## 3.1 Rail and air
For journeys of less than 5 hours by rail, the train is used, first class above 2 hours. Economy class is booked for flights of up
to 6 hours. Business class may be booked for flights of more than 6 hours of scheduled flying time, or for overnight flights that
are followed by work on the same day. First class is not reimbursed.

## 3.2 Hotels
^ Table 1. Hotel limits per night, breakfast included
| Location | Limit |
| Basel, Zurich, Geneva | CHF 240 |
| Frankfurt | EUR 180 |
| Cork, Dublin | EUR 190 |
| Boston area | USD 290 |
| Tokyo, Osaka | JPY 28,000 |
| Hyderabad | INR 11,000 |
| Other | USD 170 |

# 4 Meals and small expenses
^ Table 2. Daily meal allowance
| Region | Full day | Day of departure or return |
| Switzerland | CHF 75 | CHF 45 |
| Euro area | EUR 60 | EUR 36 |
| United States | USD 70 | USD 42 |
| Japan | JPY 8,000 | JPY 4,800 |
| India | INR 3,500 | INR 2,100 |

Receipts are required for every single expense above CHF 25 or its equivalent. Alcohol is reimbursed only at meals with external
guests.

# 5 Expense claims
Expense claims are submitted within 30 days after the end of the trip. Claims older than 90 days are not reimbursed. Approved claims
are paid with the next salary if they are approved by the 10th of the month.

# 6 Healthcare professionals
Meals with healthcare professionals follow the local code of conduct and are limited to EUR 60 per person in the euro area. Each
transfer of value is recorded in the transparency register within 15 days.

# 7 Private cars and rental cars
Use of a private car is reimbursed at CHF 0.70 per kilometre in Switzerland, EUR 0.38 in the euro area and USD 0.67 per mile in the
United States. Rental cars are of the compact class.

# 8 Safety
Travel to countries of risk level 3 or higher needs the consent of Corporate Security. The emergency line is staffed day and night
and is printed on the travel card.

# 9 Combining business and private travel
Private days may be added to a business trip, up to 5 working days, if no additional cost arises for CryoDyne.
"""

ARBEITSZEIT = """
# 1 Geltungsbereich
Diese Betriebsvereinbarung gilt für alle Beschäftigten der CryoDyne Deutschland GmbH am Standort Frankfurt mit Ausnahme der leitenden
Angestellten und der Beschäftigten im Schichtbetrieb des Logistikzentrums.

# 2 Arbeitszeit
Die regelmäßige wöchentliche Arbeitszeit beträgt 38,5 Stunden. Der Gleitzeitrahmen reicht von 6:30 Uhr bis 20:00 Uhr. Die Kernzeit
liegt montags bis donnerstags zwischen 9:30 Uhr und 15:00 Uhr; freitags gibt es keine Kernzeit.

# 3 Gleitzeitkonto
Auf dem Gleitzeitkonto dürfen höchstens 60 Plusstunden und 20 Minusstunden geführt werden. Bei mehr als 40 Plusstunden vereinbaren
Vorgesetzte und Beschäftigte innerhalb von vier Wochen einen Abbauplan.

# 4 Mobiles Arbeiten
Beschäftigte können bis zu drei Tage pro Woche mobil arbeiten, wenn ihre Aufgabe es zulässt. In der Probezeit sind es bis zu zwei
Tage pro Woche. Ein Anspruch auf mobiles Arbeiten aus dem Ausland besteht nicht; bis zu 15 Arbeitstage im Kalenderjahr können in der
Europäischen Union genehmigt werden.

## 4.1 Ausstattung
CryoDyne stellt Notebook, Bildschirm und Headset. Für die Einrichtung des Arbeitsplatzes zu Hause zahlt CryoDyne einmalig 500 Euro.

## 4.2 Erreichbarkeit
Zwischen 19:00 Uhr und 7:00 Uhr sowie an Wochenenden besteht keine Pflicht zur Erreichbarkeit. Ausgenommen ist die ärztliche
Rufbereitschaft der Arzneimittelsicherheit.

# 5 Elternzeit
Die Elternzeit muss spätestens sieben Wochen vor ihrem Beginn schriftlich angemeldet werden, für Kinder ab dem dritten Geburtstag
spätestens 13 Wochen vorher. Eine Teilzeittätigkeit von bis zu 32 Wochenstunden während der Elternzeit ist möglich. Die weltweite
Regelung zur bezahlten Elternzeit (HR-POL-003) gilt zusätzlich.

# 6 Urlaub
Der Jahresurlaub beträgt 30 Arbeitstage. Resturlaub verfällt am 31. März des Folgejahres. Der 24. und der 31. Dezember sind
arbeitsfrei.

# 7 Arbeitsunfähigkeit
Eine Arbeitsunfähigkeit ist am ersten Tag bis 9:30 Uhr der Führungskraft mitzuteilen. Ab dem vierten Kalendertag muss eine ärztliche
Bescheinigung vorliegen.

# 8 Datenschutz
Arbeitszeitdaten werden nicht zur Leistungskontrolle verwendet und nach zwei Jahren gelöscht.

# 9 Übersicht
| Regelung | Wert |
| Wochenarbeitszeit | 38,5 Stunden |
| Kernzeit, Montag bis Donnerstag | 9:30 bis 15:00 Uhr |
| Mobiles Arbeiten | bis zu drei Tage pro Woche |
| Jahresurlaub | 30 Arbeitstage |
| Zuschuss Heimarbeitsplatz | 500 Euro, einmalig |

# 10 Inkrafttreten und Kündigung
Die Vereinbarung tritt am 1. Januar 2025 in Kraft und kann mit einer Frist von sechs Monaten zum Jahresende gekündigt werden.
"""

MELTWATER = (
    Slide("Restricted", (
        "Only for the group hr-leads. Do not print, do not forward.",
        "Employee representatives are informed on 24 February 2026.",
    )),
    Slide("What is planned", (
        "Case processing in Hyderabad moves to an external provider by 30 September 2026.",
        "64 positions in Hyderabad and 11 positions in Basel are affected.",
        "The laboratories and the medical review stay where they are.",
    ), notes="Project Meltwater was approved by the executive committee on 30 October 2025."),
    Slide("Timetable", (), (
        ("Step", "Date"),
        ("Information of employee representatives", "24 February 2026"),
        ("Announcement to all employees", "3 March 2026"),
        ("End of consultation", "15 May 2026"),
        ("Transfer complete", "30 September 2026"),
    )),
    Slide("Cost and savings", (
        "One-time cost is CHF 7.9 million, of which CHF 5.2 million is severance.",
        "Yearly savings are CHF 4.6 million from 2027.",
    )),
    Slide("Support for employees", (
        "At least 40% of the affected employees shall be placed in other roles.",
        "Severance is one month of salary per year of service, at least 3 months.",
        "Outplacement is offered for 9 months.",
    )),
)  # fmt: skip

BANDS: tuple[tuple[Cell, ...], ...] = (
    ("G5", "Associate", 68_000, 79_000, 92_000, "5%"),
    ("G6", "Specialist", 84_000, 99_000, 115_000, "8%"),
    ("G7", "Senior Specialist", 102_000, 120_000, 140_000, "10%"),
    ("G8", "Manager, Principal Scientist", 124_000, 147_000, 171_000, "15%"),
    ("G9", "Senior Manager, Senior Safety Physician", 152_000, 181_000, 212_000, "20%"),
    ("G10", "Director", 188_000, 224_000, 262_000, "25%"),
    ("G11", "Vice President", 236_000, 284_000, 335_000, "35%"),
)
FRANKFURT: tuple[tuple[Cell, ...], ...] = (
    ("G5", "Associate", 49_000, 57_500, 66_000, "5%"),
    ("G6", "Specialist", 61_000, 71_500, 83_000, "8%"),
    ("G7", "Senior Specialist", 74_000, 87_000, 101_000, "10%"),
    ("G8", "Manager, Principal Scientist", 90_000, 106_000, 123_500, "15%"),
    ("G9", "Senior Manager, Senior Safety Physician", 110_000, 130_500, 152_500, "20%"),
)

TRAINING: tuple[tuple[Cell, ...], ...] = (
    ("GCP-01", "Good Clinical Practice", "R", "R", "R", "-", "Every 2 years"),
    ("PV-01", "Adverse event reporting for all employees", "R", "R", "R", "R", "Every year"),
    ("PV-12", "SOP-PV-012 Case processing", "-", "R", "O", "-", "At each new version"),
    ("PV-20", "SOP-PV-020 Signal management", "-", "R", "O", "-", "At each new version"),
    ("RA-04", "SOP-RA-004 Changes to marketing authorisations", "-", "O", "R", "-", "At each new version"),
    ("BL-18", "SOP-BL-018 Handling of pharmacokinetic samples", "R", "-", "-", "-", "At each new version"),
    ("QA-01", "SOP-QA-001 Document control", "R", "R", "R", "R", "At each new version"),
    ("DP-01", "Data protection and HIPAA basics", "R", "R", "R", "R", "Every year"),
    ("DP-02", "Handling of patient data in safety", "O", "R", "-", "-", "Every year"),
    ("IS-01", "Information security", "R", "R", "R", "R", "Every year"),
    ("CC-01", "Code of conduct", "R", "R", "R", "R", "Every 3 years"),
    ("HR-05", "Fair interviewing", "O", "O", "O", "R", "Every 3 years"),
)

WORKS = (
    Paper("human-resources/policies/parental-leave-policy.docx", "Global parental leave policy", "HR-POL-003", "4.0",
          "1 January 2025", "Petra Hofmann, Head of Human Resources", "Executive Committee", "Internal", PARENTAL),
    Paper("human-resources/policies/travel-and-expense-policy.pdf", "Travel and expense policy", "HR-POL-007", "6.1", "1 May 2025",
          "Finance and Human Resources", "Executive Committee", "Internal", TRAVEL),
    Paper("human-resources/policies/betriebsvereinbarung-arbeitszeit-frankfurt.docx",
          "Betriebsvereinbarung Arbeitszeit und mobiles Arbeiten, Standort Frankfurt", "BV-FRA-2024-02", "2.0", "1. Januar 2025",
          "Personalabteilung Frankfurt", "Geschäftsführung und Betriebsrat", "Intern", ARBEITSZEIT, "de", GERMAN),
    Deck("human-resources/leads/project-meltwater-reorganisation.pptx", "Project Meltwater: reorganisation 2026",
         "Restricted to hr-leads · 12 November 2025 · Petra Hofmann", MELTWATER),
    Workbook("human-resources/compensation/salary-bands-2026.xlsx", "Salary bands 2026", (
        Sheet("Basel", "Salary bands 2026, Basel, CHF per year",
              ("Restricted to hr-leads. Annual base salary at 100%, valid from 1 April 2026.",),
              ("Grade", "Typical role", "Minimum", "Midpoint", "Maximum", "Target bonus"), BANDS),
        Sheet("Frankfurt", "Salary bands 2026, Frankfurt, EUR per year",
              ("Restricted to hr-leads. Annual base salary at 100%, valid from 1 April 2026.",),
              ("Grade", "Typical role", "Minimum", "Midpoint", "Maximum", "Target bonus"), FRANKFURT),
    )),
    Workbook("human-resources/training-matrix-gxp.xlsx", "GxP training matrix", (
        Sheet("Matrix", "GxP training matrix, version 12, 1 October 2025",
              ("R = required, O = on request of the manager, - = not required.",
               "New employees complete required courses before they perform the task, and within 30 days of joining."),
              ("Course", "Title", "Research", "Clinical Safety", "Regulatory Affairs", "Human Resources", "Repetition"), TRAINING),
    )),
)  # fmt: skip

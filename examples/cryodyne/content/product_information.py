"""Product information of CryoDyne's three marketed (and entirely fictional) medicines."""

from __future__ import annotations

from content import Paper

LABELS = ("Document number", "Text version", "Date of revision", "Owner", "Approved by")

FRIGEVRA = """
# 1 Name of the medicinal product
Frigevra 25 mg film-coated tablets

Frigevra 50 mg film-coated tablets

Frigevra 5 mg granules in sachet

# 2 Qualitative and quantitative composition
Each film-coated tablet contains 25 mg or 50 mg of velmoflast. Each sachet contains 5 mg of velmoflast. The 50 mg tablet
contains 86 mg of lactose monohydrate; the granules are free of lactose and contain 410 mg of mannitol per sachet.

# 3 Pharmaceutical form
The 25 mg tablet is round, pale yellow and debossed with "FV 25". The 50 mg tablet is oval, orange and debossed with "FV 50".
The granules are white to off-white and taste faintly of orange.

# 4 Clinical particulars
## 4.1 Therapeutic indications
Frigevra is indicated for the treatment of cryopyrin-associated periodic syndromes (CAPS) in adults, adolescents and children
aged 2 years and older. Frigevra is not indicated for acute gout flares.

## 4.2 Posology and method of administration
Treatment should be started by a physician experienced in autoinflammatory diseases.

### Adults and adolescents weighing 45 kg or more
The recommended dose of velmoflast in adults is 50 mg twice daily, taken about 12 hours apart with or without food.

### Paediatric patients aged 2 years and older weighing less than 45 kg
The recommended paediatric dose is 1 mg/kg twice daily, up to a maximum of 50 mg per dose. The dose is rounded to the steps in
Table 1 and should be checked against body weight at every visit, at least every 3 months.

^ Table 1. Paediatric dose by body weight
| Body weight | Single dose, given twice daily | Presentation |
| 10 kg to less than 15 kg | 10 mg | 2 sachets of 5 mg |
| 15 kg to less than 20 kg | 15 mg | 3 sachets of 5 mg |
| 20 kg to less than 30 kg | 25 mg | one 25 mg tablet or 5 sachets of 5 mg |
| 30 kg to less than 45 kg | 35 mg | one 25 mg tablet and 2 sachets of 5 mg |

### Missed dose
A missed dose may be taken within 6 hours of the usual time. After that the missed dose is left out and the next dose is taken
at its usual time. Two doses must not be taken together.

### Renal impairment
No adjustment is needed for creatinine clearance of 30 mL/min or more. In adults with creatinine clearance of 15 to 29 mL/min
the dose is 50 mg once daily. Frigevra has not been studied in patients on dialysis.

### Hepatic impairment
In adults with moderate hepatic impairment (Child-Pugh B) the dose is 25 mg twice daily. Frigevra is not recommended in severe
hepatic impairment (Child-Pugh C).

### Method of administration
Tablets are swallowed whole. The granules are stirred into 10 mL of water, apple sauce or yoghurt and must be taken within 2
hours of mixing. They must not be mixed with hot food or milk formula.

## 4.3 Contraindications
Hypersensitivity to velmoflast or any excipient. Active tuberculosis or any other active severe infection.

## 4.4 Special warnings and precautions for use
### Infections
Patients should be screened for latent tuberculosis before the first dose. Treatment is interrupted if a serious infection
develops and may be resumed once the infection is under control.

### Neutropenia
A full blood count is taken before treatment, after 1 month, after 3 months and then every 6 months. Treatment must not be
started if the absolute neutrophil count is below 1.5 x 10^9/L and is interrupted if it falls below 1.0 x 10^9/L.

### Vaccination
Live vaccines should not be given during treatment or within 4 weeks after the last dose.

## 4.5 Interaction with other medicinal products
Velmoflast is metabolised mainly by CYP3A4. With strong CYP3A4 inhibitors such as ketoconazole the adult dose is reduced to 25
mg once daily. Strong CYP3A4 inducers such as rifampicin reduce exposure by 78% and should be avoided.

## 4.6 Fertility, pregnancy and lactation
There are limited data in pregnancy (fewer than 60 outcomes). As a precaution Frigevra should be avoided during pregnancy.
Women should use contraception during treatment and for 1 week after the last dose. Velmoflast is present in the milk of
animals; breast-feeding should be discontinued.

## 4.7 Effects on ability to drive and use machines
Frigevra has no or negligible influence. Patients who feel dizzy should not drive.

## 4.8 Undesirable effects
The most frequent adverse reactions in 214 adults and 61 children were headache (14.2%), nasopharyngitis (12.7%) and
nausea (8.3%). The profile in children was similar to that in adults, apart from vomiting, which was more frequent (9.8%).

^ Table 2. Adverse reactions by frequency
| System organ class | Very common (1/10 or more) | Common (1/100 to less than 1/10) | Uncommon |
| Infections | Nasopharyngitis | Urinary tract infection, oral herpes | Pneumonia |
| Blood | - | Neutropenia | Thrombocytopenia |
| Nervous system | Headache | Dizziness | - |
| Gastrointestinal | - | Nausea, vomiting, dyspepsia | Mouth ulceration |
| Investigations | - | ALT increased | Blood triglycerides increased |

## 4.9 Overdose
Single doses of up to 400 mg were given to healthy volunteers without serious adverse reactions. There is no antidote;
treatment is supportive. Haemodialysis is not expected to help because velmoflast is 97% bound to plasma proteins.

# 5 Pharmacological properties
Velmoflast is a selective, reversible inhibitor of the NLRP3 inflammasome. In study FRG-301, 71% of adults on velmoflast and 18%
on placebo had a complete response at week 16. The terminal half-life is 11 hours; 64% of a dose is recovered in faeces and
29% in urine.

# 6 Pharmaceutical particulars
## 6.3 Shelf life
Tablets: 36 months. Granules: 24 months.

## 6.4 Special precautions for storage
Tablets do not require any special temperature condition below 30 °C. Granules are stored below 25 °C in the original sachet in
order to protect from moisture.

## 6.5 Nature and contents of container
Tablets: blisters of 14, packs of 56. Granules: foil sachets, packs of 60.
"""

GLACYRA = """
# 1 Name of the medicinal product
Glacyra 100 mg hard capsules

Glacyra 150 mg hard capsules

# 2 Qualitative and quantitative composition
Each hard capsule contains 100 mg or 150 mg of quorvatinib (as mesilate). The 150 mg capsule contains sunset yellow FCF (E110).

# 3 Pharmaceutical form
The 100 mg capsule is white and printed "QV100". The 150 mg capsule is orange and printed "QV150".

# 4 Clinical particulars
## 4.1 Therapeutic indications
Glacyra as monotherapy is indicated for adults with locally advanced or metastatic cholangiocarcinoma with an FGFR2 fusion or
rearrangement that has progressed after at least one prior line of systemic therapy.

## 4.2 Posology and method of administration
The FGFR2 fusion must be confirmed by a validated test before treatment.

The recommended dose is 300 mg once daily for 21 days followed by 7 days without treatment, in cycles of 28 days. Glacyra is
taken on an empty stomach, at least 1 hour before or 2 hours after food. Treatment continues until progression or unacceptable
toxicity. The safety and efficacy of Glacyra in children under 18 years have not been established.

If a dose is missed by more than 12 hours, or if vomiting occurs after a dose, the patient takes the next dose as planned and
no extra dose.

^ Table 1. Dose reduction levels
| Level | Dose | Capsules |
| Starting dose | 300 mg once daily | 2 x 150 mg |
| First reduction | 200 mg once daily | 2 x 100 mg |
| Second reduction | 150 mg once daily | 1 x 150 mg |
| Third reduction | Discontinue permanently | - |

^ Table 2. Dose modification for adverse reactions
| Adverse reaction | Severity | Action |
| Hyperphosphataemia | Above 5.5 to 7.0 mg/dL | Continue; start a phosphate-lowering diet |
| Hyperphosphataemia | Above 7.0 to 10.0 mg/dL | Continue; start a phosphate binder; if not resolved in 2 weeks, reduce by one level |
| Hyperphosphataemia | Above 10.0 mg/dL | Withhold until 7.0 mg/dL or less; resume one level lower |
| QTc prolongation | QTcF 481 to 500 ms | Correct electrolytes; repeat the ECG within 48 hours; continue at the same dose |
| QTc prolongation | QTcF above 500 ms | Withhold until 470 ms or less; resume one level lower |
| QTc prolongation | Torsade de pointes | Discontinue permanently |
| ALT or AST increased | Above 5 to 20 x ULN | Withhold until 3 x ULN or less; resume one level lower |
| ALT or AST increased | Above 3 x ULN with bilirubin above 2 x ULN | Discontinue permanently |
| Serous retinal detachment | Symptomatic | Withhold until resolved; resume one level lower |

In patients whose QTcF exceeds 500 ms, Glacyra is withheld until the interval has returned to 470 ms or less and is then resumed
at the next lower dose level.

### Hepatic impairment
No adjustment is needed in mild impairment. In moderate impairment (Child-Pugh B) the starting dose is 200 mg once daily. Glacyra
is not recommended in severe impairment.

### Renal impairment
No dose adjustment is needed for an estimated glomerular filtration rate of 30 mL/min/1.73 m² or more.

## 4.3 Contraindications
Hypersensitivity to the active substance. Congenital long QT syndrome. Concomitant use with strong CYP3A4 inducers.

## 4.4 Special warnings and precautions for use
### QTc prolongation
An ECG is recorded before treatment, on day 8 and day 22 of the first cycle and then on day 1 of every cycle. Serum potassium is
kept at or above 4.0 mmol/L and magnesium at or above 0.8 mmol/L. Glacyra must not be started if QTcF exceeds 470 ms.

### Hepatotoxicity
ALT, AST and bilirubin are measured every 2 weeks during the first 3 months and then monthly.

### Eye disorders
Ophthalmological examination including optical coherence tomography is performed before treatment, every 2 months for the first 6
months and every 3 months thereafter.

## 4.5 Interaction with other medicinal products
With strong CYP3A4 inhibitors the dose is reduced to 150 mg once daily. Proton pump inhibitors lower exposure by 41% and should be
avoided; an H2-receptor antagonist may be taken 10 hours before or 2 hours after Glacyra.

## 4.6 Fertility, pregnancy and lactation
Women of childbearing potential must use effective contraception during treatment and for 5 weeks after the last dose. Men with
partners of childbearing potential must use a condom during treatment and for 3 months after the last dose.

## 4.7 Effects on ability to drive
Patients with blurred vision or dizziness should not drive.

## 4.8 Undesirable effects
The safety of Glacyra was studied in 388 patients. Serious adverse reactions occurred in 21.4% and led to permanent
discontinuation in 6.7%.

^ Table 3. Adverse reactions in study GLA-301 (n = 388)
| Adverse reaction | All grades, % | Grade 3 or higher, % |
| Hyperphosphataemia | 61.3 | 8.2 |
| Alopecia | 34.0 | 0 |
| Dry mouth | 31.4 | 0.3 |
| Diarrhoea | 28.9 | 2.6 |
| Nail toxicity | 25.8 | 1.8 |
| ALT increased | 19.6 | 5.4 |
| QTc prolonged | 9.0 | 3.1 |
| Serous retinal detachment | 7.2 | 0.8 |
| Lipase increased | 6.4 | 2.1 |

# 5 Pharmacological properties
Quorvatinib is a reversible inhibitor of FGFR1, FGFR2 and FGFR3 kinases. In study GLA-301 the objective response rate was 38.7%
(95% CI 33.8 to 43.7) and the median duration of response 9.2 months. The terminal half-life is 33 hours.

# 6 Pharmaceutical particulars
## 6.3 Shelf life
30 months. After first opening of the bottle: 60 days.

## 6.4 Special precautions for storage
Store below 25 °C in the original bottle with the desiccant in order to protect from moisture.

## 6.5 Nature and contents of container
HDPE bottle with child-resistant closure and 1 g silica gel, 42 capsules.
"""

ALGENTIS = """
# 1 Name of the medicinal product
Algentis 150 mg solution for injection in pre-filled pen

Algentis 75 mg solution for injection in pre-filled syringe

# 2 Qualitative and quantitative composition
Each pre-filled pen contains 150 mg of brosnelimab in 1 mL. Each pre-filled syringe contains 75 mg of brosnelimab in 0.5 mL.
Brosnelimab is a humanised IgG1 monoclonal antibody against TSLP produced in Chinese hamster ovary cells.

# 3 Pharmaceutical form
Clear to slightly opalescent, colourless to pale yellow solution, free of visible particles.

# 4 Clinical particulars
## 4.1 Therapeutic indications
Algentis is indicated as add-on maintenance treatment in patients aged 12 years and older with severe eosinophilic asthma that is
inadequately controlled despite high-dose inhaled corticosteroids plus another controller.

## 4.2 Posology and method of administration
### Adults and adolescents weighing 40 kg or more
The recommended dose is a loading dose of 300 mg (two injections of 150 mg) followed by 150 mg every 4 weeks, given
subcutaneously.

### Adolescents aged 12 years and older weighing less than 40 kg
The recommended dose is a loading dose of 150 mg followed by 75 mg every 4 weeks.

### Elderly patients and renal or hepatic impairment
No dose adjustment is needed.

### Children under 12 years
No recommendation on posology can be made; study ALG-305 in children aged 6 to 11 years is ongoing.

### Missed dose
If a dose is missed, it is given as soon as possible, and dosing continues every 4 weeks from that date.

### Self-administration
Patients may inject themselves after training. The pen is taken out of the refrigerator 45 minutes before injection. Injection
sites are rotated between thigh and abdomen; a caregiver may also use the upper arm.

## 4.3 Contraindications
Hypersensitivity to brosnelimab or to polysorbate 80.

## 4.4 Special warnings and precautions for use
Algentis must not be used to treat acute asthma exacerbations. Anaphylaxis has been reported in fewer than 1 in 1,000 patients,
mostly within 2 hours of the first injection; the first injection is therefore given under medical observation of 2 hours.
Pre-existing helminth infections are treated before Algentis is started.

## 4.5 Interaction with other medicinal products
No interaction studies have been performed. Live vaccines should not be given during treatment.

## 4.6 Fertility, pregnancy and lactation
Human IgG crosses the placenta. Algentis should be used in pregnancy only if the expected benefit exceeds the risk.

## 4.7 Effects on ability to drive and use machines
Algentis has no or negligible influence.

## 4.8 Undesirable effects
^ Table 1. Adverse reactions in placebo-controlled studies (n = 1,106)
| Adverse reaction | Frequency | Algentis, % | Placebo, % |
| Injection site reaction | Very common | 11.2 | 4.9 |
| Pharyngitis | Common | 6.8 | 5.1 |
| Arthralgia | Common | 4.4 | 3.0 |
| Back pain | Common | 3.7 | 2.9 |
| Hypersensitivity | Uncommon | 0.7 | 0.4 |

### Immunogenicity
Anti-drug antibodies were found in 4.1% of patients and neutralising antibodies in 0.5%, without effect on efficacy.

# 5 Pharmacological properties
Over 52 weeks Algentis lowered the annual rate of severe exacerbations by 56% against placebo (rate ratio 0.44, 95% CI 0.37 to
0.53). {half_life}

# 6 Pharmaceutical particulars
## 6.3 Shelf life
{life}

## 6.4 Special precautions for storage
{storage}

^ Table 2. Storage summary
| Condition | Limit |
| Refrigerator, 2 °C to 8 °C | Until the expiry date |
| Room temperature, up to {warm} | {days} |
| Frozen | Do not use |

## 6.6 Disposal
Used pens go into a sharps container. Do not shake.
"""

WORKS = (
    Paper("company/product-information/frigevra-product-information.pdf", "Frigevra (velmoflast): product information",
          "PI-FRG-001", "8.0", "3 March 2025", "Global Labelling, Regulatory Affairs", "Labelling Committee", "Public",
          FRIGEVRA, labels=LABELS),
    Paper("company/product-information/glacyra-product-information.pdf", "Glacyra (quorvatinib): product information",
          "PI-GLA-001", "4.0", "18 August 2025", "Global Labelling, Regulatory Affairs", "Labelling Committee", "Public",
          GLACYRA, labels=LABELS),
    Paper("company/product-information/algentis-product-information.pdf", "Algentis (brosnelimab): product information",
          "PI-ALG-001", "6.0", "10 June 2025", "Global Labelling, Regulatory Affairs", "Labelling Committee", "Public",
          ALGENTIS.format(
              life="36 months.",
              storage="Store in a refrigerator (2 °C to 8 °C) in the outer carton in order to protect from light. Do not freeze. "
                      "If needed, the unopened pen or syringe may be kept outside the refrigerator at up to 25 °C for a "
                      "maximum of 14 days; after that it must be used or discarded and must not be put back into the refrigerator.",
              warm="25 °C", days="14 days, once", half_life="The half-life of brosnelimab is 24 days."),
          labels=LABELS),
    Paper("company/product-information/archive/algentis-product-information-2023-superseded.pdf",
          "Algentis (brosnelimab): product information (SUPERSEDED)",
          "PI-ALG-001", "4.0 (superseded by version 6.0)", "22 September 2023", "Global Labelling, Regulatory Affairs",
          "Labelling Committee", "Public",
          "This text was superseded on 10 June 2025 by version 6.0. It is kept for reference only and must not be used.\n\n"
          + ALGENTIS.format(
              life="24 months.",
              storage="Store in a refrigerator (2 °C to 8 °C). Do not freeze. Before use it may be kept at room temperature (up to 25 °C) for a "
                      "maximum of 7 days.",
              warm="25 °C", days="7 days, once",
              half_life="In the first study the half-life was estimated at 26 days."),
          labels=LABELS),
)  # fmt: skip

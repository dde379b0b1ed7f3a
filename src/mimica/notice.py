"""What every report says about itself: apparent expression, never feeling; and the law."""

SHORT = "Apparent expression, not what someone feels."
"""One line for places where the whole notice does not fit."""

NOTICE = (
    "This output describes apparent expression: what a face looks like to a trained model. It never says what "
    "someone feels. In the European Union, Art. 5(1)(f) of the AI Act (Regulation (EU) 2024/1689) has forbidden "
    "since 2 February 2025 to infer emotions of people at work and in education, medical and safety uses excepted. "
    "Other emotion recognition is high-risk, with a duty to inform the people concerned."
)
"""The legal notice in full: one paragraph of plain text."""

/* From a decision of each pair of classes to one of each class: its votes, and a third at most for how sure they were
   (scikit-learn's _ovr_decision_function). */
static void eiq_one_vs_one(const float *in, float *out, int32_t classes)
{
    int32_t c, i, j;
    for (c = 0; c < classes; c++) {
        float votes = 0.0f, sure = 0.0f, far;
        const float *decision = in;
        for (i = 0; i < classes; i++)
            for (j = i + 1; j < classes; j++, decision++)
                if (i == c || j == c) {
                    votes += (*decision < 0.0f) == (j == c) ? 1.0f : 0.0f;
                    sure += i == c ? *decision : -*decision;
                }
        far = sure < 0.0f ? -sure : sure;
        out[c] = votes + sure / (3.0f * (far + 1.0f));
    }
}

/* How far beyond normal, from how soon x stands alone. */
static void eiq_isolation(const float *in, float *out, float factor, float offset)
{
    *out = eiq_exp(*in * factor) + offset;
}

/* The sum of what the leaves of decision trees hold, times a factor; -1 if a feature is not finite. A node is two words:
   the bits of its threshold, and its feature with, above it, how many nodes further its right child stands; the left one
   is next. A leaf has the feature 0xFFFF, and the place of its values instead of a threshold. */
static int eiq_trees(
    const float *in, const uint32_t *nodes, const int32_t *roots, const float *values, float *out, int32_t features,
    int32_t trees, int32_t size, float factor)
{
    int32_t i, tree;
    for (i = 0; i < features; i++)
        if (!(in[i] - in[i] == 0.0f)) return -1;
    for (i = 0; i < size; i++) out[i] = 0.0f;
    for (tree = 0; tree < trees; tree++) {
        const uint32_t *node = nodes + 2 * roots[tree];
        const float *leaf;
        while ((node[1] & 0xFFFFu) != 0xFFFFu) {
            float threshold;
            memcpy(&threshold, node, 4);
            node += in[node[1] & 0xFFFFu] <= threshold ? 2 : 2 * (node[1] >> 16);
        }
        leaf = values + node[0];
        for (i = 0; i < size; i++) out[i] += leaf[i];
    }
    for (i = 0; i < size; i++) out[i] *= factor;
    return 0;
}

/* Two tensors of shapes that fit: rows, and where each row of both starts and steps. */
typedef struct {
    int32_t shape[3], a[3], b[3]; /* sizes, and strides in elements */
} eiq_pair_shape;

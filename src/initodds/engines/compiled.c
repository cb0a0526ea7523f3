/* Trains fully connected networks one after another, each in an order of its own. `compiled.py` compiles and calls it,
   once with REAL as float and once as double.

   Units are padded with zeros to whole vectors of the processor. The first layer's weights are (features, units), so
   that a feature that an example does not have is a row that is not touched; a later layer's are transposed,
   (units, fan_in), so that backwards and in the update its few rows are combined, and only forwards multiplied one by
   one. Padding has activations, slopes and errors of 0, so that its weights stay 0. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <tgmath.h>

#if defined(__AVX512F__)
enum { BYTES = 64, ROWS = 8 };
#elif defined(__AVX__)
enum { BYTES = 32, ROWS = 4 };
#else
enum { BYTES = 16, ROWS = 4 };
#endif

typedef REAL real;
typedef int64_t integer;
typedef real vector __attribute__((vector_size(BYTES)));
typedef vector anywhere __attribute__((aligned(sizeof(real)), may_alias)); /* in memory, at any address */
typedef __typeof__(__builtin_choose_expr(sizeof(real) == 4, (int32_t)0, (int64_t)0)) bits; /* as long as a real */
typedef real brief __attribute__((vector_size(16)));           /* the shortest vector that every processor has */
typedef bits mask __attribute__((vector_size(BYTES))); /* what comparing vectors gives: 0 or, where it is true, -1 */

enum {
    WIDE = BYTES / sizeof(real),
    PORTION = 64, /* examples whose activations are kept at once: they fit the first cache beside the weights' rows */
    MANTISSA = sizeof(real) == 4 ? 23 : 52,
    BIAS = sizeof(real) == 4 ? 127 : 1023,
    DEGREE = sizeof(real) == 4 ? 7 : 13, /* of a polynomial as exact as the type */
};

const int wide = WIDE, portion = PORTION;

struct layer {
    integer fan_in, units, padded; /* padded: units, in whole vectors */
    integer weights, row, biases;  /* where they begin in a network's parameters; row: from one row to the next */
    integer activation;            /* its number in ACTIVATIONS */
    double parameter, lowest;      /* of the activation; lowest: under which it would overflow as it is taught */
    real *a, *e;                   /* (PORTION, padded): the activations; their slopes, which become the errors */
};

struct problem {
    integer layers;
    struct layer *layer;
    const integer *ends;     /* NULL where the features are dense; else example i's are at ends[i] .. ends[i + 1] - 1 */
    const uint16_t *indices; /* of the features that are not 0 */
    const real *x, *targets; /* their values, or (examples, features); (examples, padded outputs) */
    integer output, mean, bias, plain, parameters;
    double cost_weight, clip_norm;
    integer optimizer, slots, nesterov;
    double weight_decay, momentum, beta1, beta2, alpha, epsilon;
};

#define INLINE static inline __attribute__((always_inline))
#define EACH(i, count) for (integer i = 0; i < (count); i++)
#define EACH_VECTOR(k, padded) for (integer k = 0; k < (padded); k += WIDE)
#define UNROLLED(i, count) _Pragma("GCC unroll 16") EACH(i, count)

INLINE vector load(const real *from) { return *(const anywhere *)from; }
INLINE void store(real *to, vector v) { *(anywhere *)to = v; }
INLINE vector all(real value) { return value - (vector){0}; }
INLINE vector select(mask where, vector yes, vector no) { return (vector)((where & (mask)yes) | (~where & (mask)no)); }

/* The first `count` numbers of a vector, and 0 after them. */
INLINE vector up_to(integer count, vector v) {
    mask place;
    UNROLLED(i, WIDE) place[i] = i;
    return (vector)((place < (bits)count) & (mask)v);
}

INLINE real total(vector v) {
    brief part[BYTES / sizeof(brief)], sum = {0};
    real whole = 0;
    memcpy(part, &v, BYTES);
    UNROLLED(i, BYTES / sizeof(brief)) sum += part[i];
    UNROLLED(i, sizeof(brief) / sizeof(real)) whole += sum[i];
    return whole;
}

/* ---- Functions of a unit ---- */

/* e^x - less, for `less` 0 or 1: x = n ln 2 + r; e^r - 1 by its series, and 2^n by writing n as an exponent. Beyond the
   type's exponents the nearest that it has. NaN stays NaN. */
INLINE vector exponential(vector x, real less) {
    const real most = (BIAS - 1) * 0.693147180559945309, shift = (real)3 * ((integer)1 << (MANTISSA - 1));
    x = select(x > most, all(most), select(x < -most, all(-most), x));
    vector shifted = x * (real)1.44269504088896341 + shift, n = shifted - shift;
    vector r = x - n * (real)0.693359375 + n * (real)2.12194440054690583e-4, series = all(1);
    UNROLLED(k, DEGREE - 1) series = 1 + series * r * (1 / (real)(DEGREE - k));
    vector power = (vector)(((mask)shifted + BIAS) << MANTISSA);
    return power * (r * series) + (power - less);
}

INLINE vector magnitude(vector z) { return select(z < 0, -z, z); }

INLINE vector logistic_of(vector z) { return 1 / (1 + exponential(-z, 0)); }

#define ACTIVATION(name) static vector name(vector z, vector *slope, real parameter)

ACTIVATION(logistic) {
    vector a = logistic_of(z);
    *slope = a * (1 - a);
    return a;
}

ACTIVATION(tanh_) {
    vector small = exponential(-2 * magnitude(z), 1), a = small / (2 + small); /* -tanh |z| */
    *slope = 1 - a * a;
    return select(z < 0, a, -a);
}

ACTIVATION(linear) {
    *slope = all(1);
    return z;
}

ACTIVATION(relu) {
    *slope = select(z > 0, all(1), all(0));
    return select(z <= 0, all(0), z);
}

ACTIVATION(leaky_relu) {
    *slope = select(z > 0, all(1), all(parameter));
    return z * *slope;
}

INLINE vector scaled_elu(vector z, vector *slope, real scale, real alpha) {
    vector below = scale * alpha * exponential(select(z > 0, all(0), z), 1);
    *slope = select(z > 0, all(scale), below + scale * alpha);
    return select(z > 0, scale * z, below);
}

ACTIVATION(elu) { return scaled_elu(z, slope, 1, 1); }

ACTIVATION(selu) { return scaled_elu(z, slope, 1.0507009873554804934193349852946, 1.6732632423543772848170429916717); }

ACTIVATION(gelu) {
    vector distribution, density = exponential((real)-0.5 * z * z, 0) * (real)0.398942280401432678;
    EACH(i, WIDE) distribution[i] = (real)0.5 * (1 + erf(z[i] * (real)0.707106781186547524));
    *slope = distribution + z * density;
    return z * distribution;
}

ACTIVATION(silu) {
    vector share = logistic_of(z);
    *slope = share + z * share * (1 - share);
    return z * share;
}

ACTIVATION(softplus) {
    vector rest = exponential(-magnitude(z), 0);
    EACH(i, WIDE) rest[i] = log1p(rest[i]);
    *slope = logistic_of(z);
    return select(z > 0, z, all(0)) + rest;
}

static const struct {
    const char *name;
    vector (*of)(vector z, vector *slope, real parameter);
} ACTIVATIONS[] = {
    {"logistic", logistic}, {"tanh", tanh_}, {"linear", linear}, {"relu", relu}, {"leaky_relu", leaky_relu},
    {"elu", elu}, {"selu", selu}, {"gelu", gelu}, {"silu", silu}, {"softplus", softplus},
    {"softmax", NULL}, /* of all units together, see `activate` */
    {NULL, NULL},
};

/* ---- Outputs: what becomes of the slopes `e` of an example's outputs `a`, of targets `y`: the errors, times `scale`.
        In whole vectors: what was written in shorter pieces cannot be read as a vector at once. ---- */

#define OUTPUT(name)                                                                                                   \
    static void name(integer padded, const real *a, const real *y, real *e, real weight, real scale)

OUTPUT(squared) { EACH_VECTOR(k, padded) store(e + k, load(e + k) * (load(a + k) - load(y + k)) * (weight * scale)); }

OUTPUT(cross_entropy) { EACH_VECTOR(k, padded) store(e + k, (load(a + k) - load(y + k)) * scale); }

OUTPUT(softmax_cross_entropy) {
    vector sum = {0};
    EACH_VECTOR(k, padded) sum += load(y + k);
    real of_targets = total(sum);
    EACH_VECTOR(k, padded) store(e + k, (load(a + k) * of_targets - load(y + k)) * scale);
}

OUTPUT(softmax_squared) {
    vector sum = {0};
    EACH_VECTOR(k, padded) sum += load(a + k) * (load(a + k) - load(y + k));
    real inner = total(sum);
    EACH_VECTOR(k, padded) store(e + k, load(a + k) * (load(a + k) - load(y + k) - inner) * (weight * scale));
}

static const struct {
    const char *name;
    void (*errors)(integer, const real *, const real *, real *, real, real);
} OUTPUTS[] = {
    {"squared", squared}, {"cross_entropy", cross_entropy},
    {"softmax_cross_entropy", softmax_cross_entropy}, {"softmax_squared", softmax_squared},
    {NULL, NULL},
};

/* ---- Products. Each is written for m examples and n vectors of units, numbers that the compiler has to know, so that
        the sums stay in registers; `KNOWN` calls it so. ---- */

/* out[t] = bias + sum_i x[t][i] w[i], or, without a bias, out[t] times the sum. */
INLINE void combine_tile(int m, int n, integer count, const real *const *x, const real *w, integer row,
                         const real *bias, real *out, integer padded) {
    vector sum[ROWS][4];
    UNROLLED(t, m) UNROLLED(v, n) sum[t][v] = bias ? load(bias + v * WIDE) : all(0);
    EACH(i, count) {
        vector weights[4];
        UNROLLED(v, n) weights[v] = load(w + i * row + v * WIDE);
        UNROLLED(t, m) UNROLLED(v, n) sum[t][v] += x[t][i] * weights[v];
    }
    UNROLLED(t, m) UNROLLED(v, n) {
        real *to = out + t * padded + v * WIDE;
        store(to, bias ? sum[t][v] : sum[t][v] * load(to));
    }
}

/* w[i] += sum_t x[t][i] e[t]. */
INLINE void spread_tile(int m, int n, integer count, const real *const *x, real *w, integer row, const real *e,
                        integer padded) {
    const real *of[ROWS];
    vector errors[ROWS][4];
    UNROLLED(t, m) of[t] = x[t];
    UNROLLED(t, m) UNROLLED(v, n) errors[t][v] = load(e + t * padded + v * WIDE);
    EACH(i, count) {
        vector weights[4];
        UNROLLED(v, n) weights[v] = load(w + i * row + v * WIDE);
        UNROLLED(t, m) UNROLLED(v, n) weights[v] += of[t][i] * errors[t][v];
        UNROLLED(v, n) store(w + i * row + v * WIDE, weights[v]);
    }
}

/* The same for one example that has few features; here, forwards, m features at once, whose sums need not wait for each
   other. */
INLINE void combine_few(int m, int n, integer count, const uint16_t *indices, const real *x, const real *w, integer row,
                        const real *bias, real *out) {
    vector sum[ROWS][4];
    integer i = 0;
    UNROLLED(s, m) UNROLLED(v, n) sum[s][v] = s ? all(0) : load(bias + v * WIDE);
    for (; i + m <= count; i += m)
        UNROLLED(s, m) UNROLLED(v, n) sum[s][v] += x[i + s] * load(w + indices[i + s] * row + v * WIDE);
    for (; i < count; i++) UNROLLED(v, n) sum[0][v] += x[i] * load(w + indices[i] * row + v * WIDE);
    UNROLLED(s, m - 1) UNROLLED(v, n) sum[0][v] += sum[s + 1][v];
    UNROLLED(v, n) store(out + v * WIDE, sum[0][v]);
}

INLINE void spread_few(int n, integer count, const uint16_t *indices, const real *x, real *w, integer row,
                       const real *e) {
    vector errors[4];
    UNROLLED(v, n) errors[v] = load(e + v * WIDE);
    EACH(i, count) UNROLLED(v, n) {
        real *to = w + indices[i] * row + v * WIDE;
        store(to, load(to) + x[i] * errors[v]);
    }
}

/* Calls a product whose m and n are known only as it runs. */
#define KNOWN(product, m, n, ...)                                                                                      \
    switch (10 * (m) + (n)) {                                                                                          \
    case 11: product(1, 1, __VA_ARGS__); break;                                                                        \
    case 12: product(1, 2, __VA_ARGS__); break;                                                                        \
    case 14: product(1, 4, __VA_ARGS__); break;                                                                        \
    case 21: product(2, 1, __VA_ARGS__); break;                                                                        \
    case 22: product(2, 2, __VA_ARGS__); break;                                                                        \
    case 24: product(2, 4, __VA_ARGS__); break;                                                                        \
    case 41: product(4, 1, __VA_ARGS__); break;                                                                        \
    case 42: product(4, 2, __VA_ARGS__); break;                                                                        \
    case 81: product(ROWS, 1, __VA_ARGS__); break;                                                                     \
    case 82: product(ROWS, 2, __VA_ARGS__); break;                                                                     \
    default: __builtin_trap(); /* a pair to be added here */                                                           \
    }

/* The largest power of 2 that is not over either. */
INLINE integer at_most(integer left, integer widest) {
    for (; widest > left; widest /= 2);
    return widest;
}

static void combine(integer examples, integer features, const real *const *x, const real *w, integer row,
                    const real *bias, real *out, integer padded) {
    for (integer t = 0, m; t < examples; t += m) {
        m = at_most(examples - t, ROWS);
        for (integer k = 0, n; k < padded; k += n * WIDE) {
            n = at_most((padded - k) / WIDE, 2);
            KNOWN(combine_tile, m, n, features, x + t, w + k, row, bias ? bias + k : NULL, out + t * padded + k, padded)
        }
    }
}

static void spread(integer examples, integer features, const real *const *x, real *w, integer row, const real *e,
                   integer padded) {
    for (integer t = 0, m; t < examples; t += m) {
        m = at_most(examples - t, ROWS);
        for (integer k = 0, n; k < padded; k += n * WIDE) {
            n = at_most((padded - k) / WIDE, 2);
            KNOWN(spread_tile, m, n, features, x + t, w + k, row, e + t * padded + k, padded)
        }
    }
}

static void combine_sparse(integer count, const uint16_t *indices, const real *x, const real *w, integer row,
                           const real *bias, real *out, integer padded) {
    for (integer k = 0, n; k < padded; k += n * WIDE) {
        n = at_most((padded - k) / WIDE, 4);
        KNOWN(combine_few, ROWS / n, n, count, indices, x, w + k, row, bias + k, out + k)
    }
}

static void spread_sparse(integer count, const uint16_t *indices, const real *x, real *w, integer row, const real *e,
                          integer padded) {
    for (integer k = 0, n; k < padded; k += n * WIDE) {
        n = at_most((padded - k) / WIDE, 4);
        if (n == 4) spread_few(4, count, indices, x, w + k, row, e + k);
        else if (n == 2) spread_few(2, count, indices, x, w + k, row, e + k);
        else spread_few(1, count, indices, x, w + k, row, e + k);
    }
}

/* z[k] = biases[k] + sum_j w[k][j] a[j], for rows w[k] in whole vectors. */
static void multiply(integer units, const real *a, const real *w, integer row, const real *biases, real *z) {
    integer k = 0;
    for (; k + 4 <= units; k += 4) {
        vector sum[4] = {{0}};
        for (integer j = 0; j < row; j += WIDE) UNROLLED(s, 4) sum[s] += load(w + (k + s) * row + j) * load(a + j);
        UNROLLED(s, 4) z[k + s] = biases[k + s] + total(sum[s]);
    }
    for (; k < units; k++) {
        vector sum = {0};
        for (integer j = 0; j < row; j += WIDE) sum += load(w + k * row + j) * load(a + j);
        z[k] = biases[k] + total(sum);
    }
}

/* ---- A step ---- */

/* The rows of examples that are dense. */
static void point(const real **x, const struct problem *p, const integer *rows, integer count) {
    EACH(t, count) x[t] = p->x + rows[t] * p->layer[0].fan_in;
}

/* Turn pre-activations into activations, and note their slopes. Returns how often a function would have overflowed. */
static integer activate(const struct layer *layer, integer count) {
    integer overflows = 0;
    vector (*of)(vector, vector *, real) = ACTIVATIONS[layer->activation].of;
    mask overflowing = {0};
    EACH(t, count) {
        real *a = layer->a + t * layer->padded, *e = layer->e + t * layer->padded;
        if (of) {
            EACH_VECTOR(k, layer->padded) {
                vector z = load(a + k), slope;
                overflowing -= z < (real)layer->lowest;
                store(a + k, up_to(layer->units - k, of(z, &slope, layer->parameter)));
                store(e + k, up_to(layer->units - k, slope));
            }
        } else {
            real most = a[0];
            vector sums = {0};
            EACH(k, layer->units) most = a[k] > most ? a[k] : most, overflows += -a[k] < (real)layer->lowest;
            EACH_VECTOR(k, layer->padded) {
                vector part = up_to(layer->units - k, exponential(load(a + k) - most, 0));
                sums += part;
                store(a + k, part);
            }
            real sum = total(sums);
            EACH_VECTOR(k, layer->padded) store(a + k, load(a + k) / sum);
        }
    }
    EACH(i, WIDE) overflows += overflowing[i];
    return overflows;
}

/* Examples in a random order are not in the cache: have the one `AHEAD` rows on fetched from memory meanwhile, and of
   one as far again where it lies. There are `count` rows. */
INLINE void fetch(const struct problem *p, const integer *rows, integer count) {
    enum { LINE = 64, AHEAD = 4 };
    if (count <= AHEAD) return;
    integer outputs = p->layer[p->layers - 1].padded;
    const real *targets = p->targets + rows[AHEAD] * outputs;
    for (integer k = 0; k < outputs; k += LINE / sizeof(real)) __builtin_prefetch(targets + k);
    if (!p->ends) return; /* what is long and dense is fetched by the processor itself */
    if (count > 2 * AHEAD) __builtin_prefetch(p->ends + rows[2 * AHEAD]);
    integer start = p->ends[rows[AHEAD]], end = p->ends[rows[AHEAD] + 1];
    for (integer i = start; i < end; i += LINE / sizeof *p->indices) __builtin_prefetch(p->indices + i);
    for (integer i = start; i < end; i += LINE / sizeof *p->x) __builtin_prefetch(p->x + i);
}

/* ahead: how many rows there are, these `count` and those of the steps to come. */
static integer forward(const struct problem *p, const real *network, const integer *rows, integer count,
                       integer ahead) {
    const struct layer *layer = p->layer;
    integer overflows = 0;
    if (p->ends) {
        EACH(t, count) {
            integer start = p->ends[rows[t]], entries = p->ends[rows[t] + 1] - start;
            fetch(p, rows + t, ahead - t);
            combine_sparse(entries, p->indices + start, p->x + start, network + layer->weights, layer->row,
                           network + layer->biases, layer->a + t * layer->padded, layer->padded);
        }
    } else {
        const real *x[PORTION];
        EACH(t, count) fetch(p, rows + t, ahead - t);
        point(x, p, rows, count);
        combine(count, layer->fan_in, x, network + layer->weights, layer->row, network + layer->biases, layer->a,
                layer->padded);
    }
    overflows += activate(layer, count);
    for (layer++; layer < p->layer + p->layers; layer++) {
        EACH(t, count)
            multiply(layer->units, layer[-1].a + t * layer->row, network + layer->weights, layer->row,
                     network + layer->biases, layer->a + t * layer->padded);
        overflows += activate(layer, count);
    }
    return overflows;
}

/* Turn the slopes of all layers into errors, times `scale`. */
static void backward(const struct problem *p, const real *network, const integer *rows, integer count, real scale) {
    const struct layer *layer = p->layer + p->layers - 1;
    EACH(t, count) {
        integer at = t * layer->padded;
        OUTPUTS[p->output].errors(layer->padded, layer->a + at, p->targets + rows[t] * layer->padded, layer->e + at,
                                  p->cost_weight, scale);
    }
    for (; layer > p->layer; layer--) {
        const real *e[PORTION];
        EACH(t, count) e[t] = layer->e + t * layer->padded;
        combine(count, layer->units, e, network + layer->weights, layer->row, NULL, layer[-1].e, layer->row);
    }
}

/* Add the examples' gradient to `to`, which is laid out as a network. */
static void accumulate(const struct problem *p, real *to, const integer *rows, integer count) {
    const struct layer *layer = p->layer;
    if (p->ends) {
        EACH(t, count) {
            integer start = p->ends[rows[t]], entries = p->ends[rows[t] + 1] - start;
            spread_sparse(entries, p->indices + start, p->x + start, to + layer->weights, layer->row,
                          layer->e + t * layer->padded, layer->padded);
        }
    } else {
        const real *x[PORTION];
        point(x, p, rows, count);
        spread(count, layer->fan_in, x, to + layer->weights, layer->row, layer->e, layer->padded);
    }
    for (; layer < p->layer + p->layers; layer++) {
        if (layer > p->layer) {
            const real *e[PORTION];
            EACH(t, count) e[t] = layer->e + t * layer->padded;
            spread(count, layer->units, e, to + layer->weights, layer->row, layer[-1].a, layer->row);
        }
        if (p->bias) EACH(t, count) EACH_VECTOR(k, layer->padded) {
            real *biases = to + layer->biases + k;
            store(biases, load(biases) + load(layer->e + t * layer->padded + k));
        }
    }
}

/* ---- Optimizers, see `optimizers.py`: `count` numbers w, their gradient g, and the slots u and v, if there are ---- */

#define OPTIMIZER(name)                                                                                                \
    static void name(const struct problem *p, integer count, real *restrict w, real *restrict g, real *restrict u,     \
                     real *restrict v, real rate, integer step)

OPTIMIZER(sgd) {
    const real decay = p->weight_decay, momentum = p->momentum;
    if (!p->momentum) EACH(i, count) w[i] -= rate * (g[i] + decay * w[i]);
    else EACH(i, count) {
        real gradient = g[i] + decay * w[i];
        u[i] = momentum * u[i] + gradient;
        w[i] -= rate * (p->nesterov ? gradient + momentum * u[i] : u[i]);
    }
}

INLINE void adam_move(const struct problem *p, integer count, real *restrict w, real *restrict g, real *restrict u,
                      real *restrict v, real rate, integer step, real decay, real kept) {
    const real beta1 = p->beta1, beta2 = p->beta2, rest1 = 1 - p->beta1, rest2 = 1 - p->beta2, epsilon = p->epsilon;
    const real root = 1 / sqrt(1 - pow(p->beta2, step)), move = rate / (1 - pow(p->beta1, step));
    EACH(i, count) {
        real gradient = g[i] + decay * w[i];
        u[i] = beta1 * u[i] + rest1 * gradient;
        v[i] = beta2 * v[i] + rest2 * gradient * gradient;
        w[i] = kept * w[i] - move * u[i] / (sqrt(v[i]) * root + epsilon);
    }
}

OPTIMIZER(adam) { adam_move(p, count, w, g, u, v, rate, step, p->weight_decay, 1); }

OPTIMIZER(adamw) { adam_move(p, count, w, g, u, v, rate, step, 0, 1 - rate * (real)p->weight_decay); }

OPTIMIZER(rmsprop) {
    const real decay = p->weight_decay, momentum = p->momentum, epsilon = p->epsilon;
    const real alpha = p->alpha, rest = 1 - p->alpha;
    EACH(i, count) {
        real gradient = g[i] + decay * w[i];
        u[i] = alpha * u[i] + rest * gradient * gradient;
        v[i] = momentum * v[i] + gradient / (sqrt(u[i]) + epsilon);
        w[i] -= rate * v[i];
    }
}

static const struct {
    const char *name;
    void (*move)(const struct problem *, integer, real *, real *, real *, real *, real, integer);
} OPTIMIZERS[] = {
    {"SGD", sgd}, {"Adam", adam}, {"AdamW", adamw}, {"RMSprop", rmsprop},
    {NULL, NULL},
};

/* Scale the gradient down to this norm where it has a larger one. */
static void clip(real *gradient, integer count, double norm) {
    double squares[8] = {0}, sum = 0;
    for (integer i = 0; i + 8 <= count; i += 8) UNROLLED(s, 8) squares[s] += (double)gradient[i + s] * gradient[i + s];
    for (integer i = count / 8 * 8; i < count; i++) sum += (double)gradient[i] * gradient[i];
    EACH(s, 8) sum += squares[s];
    real factor = norm / (sqrt(sum) + 1e-6);
    if (!(factor >= 1)) EACH(i, count) /* also where it is NaN */
        gradient[i] *= factor;
}

/* One network takes its steps. */
static integer train_one(const struct problem *p, real *network, real *slots, real *gradient, const integer *rows,
                         integer steps, integer batch, const double *rates, const double *factors, integer step) {
    integer overflows = 0, direct = p->plain && batch <= PORTION;
    EACH(l, p->layers) direct = direct && rates[l] == rates[0];
    real scale = p->mean ? 1 / (real)batch : 1;
    const integer *end = rows + steps * batch;
    EACH(s, steps) {
        real factor = factors ? (real)factors[s] : 1;
        if (!direct) memset(gradient, 0, p->parameters * sizeof(real));
        for (integer start = 0, count; start < batch; start += count, rows += count) {
            count = batch - start < PORTION ? batch - start : PORTION;
            overflows += forward(p, network, rows, count, end - rows);
            backward(p, network, rows, count, direct ? -((real)rates[0] * factor) * scale : scale);
            accumulate(p, direct ? network : gradient, rows, count);
        }
        if (direct) continue;
        if (p->clip_norm > 0) clip(gradient, p->parameters, p->clip_norm);
        EACH(l, p->layers) {
            integer from = p->layer[l].weights, to = l + 1 < p->layers ? p->layer[l + 1].weights : p->parameters;
            real *u = p->slots > 0 ? slots + from : NULL, *v = p->slots > 1 ? slots + p->parameters + from : NULL;
            OPTIMIZERS[p->optimizer].move(p, to - from, network + from, gradient + from, u, v, (real)rates[l] * factor,
                                          step + s);
        }
    }
    return overflows;
}

/* R networks (R, parameters) with their slots (R, slots, parameters) take `steps` steps, network r on its mini-batches
   at rows + r * own, (steps, batch) each. rates: (R, layers). factors: (steps,) or NULL. step: the number of the first.
   overflows: (R,). */
void train(const struct problem *p, integer replicates, real *networks, real *slots, real *gradient,
           const integer *rows, integer own, integer steps, integer batch, const double *rates, const double *factors,
           integer step, integer *overflows) {
    EACH(r, replicates)
        overflows[r] += train_one(p, networks + r * p->parameters, slots + r * p->slots * p->parameters, gradient,
                                  rows + r * own, steps, batch, rates + r * p->layers, factors, step);
}

/* The number of an entry, or -1 where there is none of this name. */
#define NUMBER(function, ENTRIES)                                                                                      \
    int function(const char *name) {                                                                                   \
        for (int i = 0; ENTRIES[i].name; i++)                                                                          \
            if (!strcmp(ENTRIES[i].name, name)) return i;                                                              \
        return -1;                                                                                                     \
    }

NUMBER(activation, ACTIVATIONS)
NUMBER(output, OUTPUTS)
NUMBER(optimizer, OPTIMIZERS)

#include "policy/krige.h"

#include <math.h>

#include "base/test.h"

static void make(struct krige *krige, size_t count, double residual)
{
    *krige = (struct krige){.count = count, .weight = {1, 1, 1, 1}};
    for (size_t i = 0; i < count; i++) {
        krige->points[i] = i;
        krige->residual[i] = residual;
        krige->phases[i] = 1;
    }
    krige_fit(krige);
}

static void knows_nothing_without_points(void)
{
    static struct krige krige;
    double mean = 1, deviation = 0;
    make(&krige, 0, 0);
    krige_at(&krige, 5, &mean, &deviation);
    EXPECT(mean == 0);
    EXPECT(deviation > 0.1);
}

static void is_surer_near_points_than_far_from_them(void)
{
    static struct krige krige;
    double mean = 0, near = 0, far = 0;
    make(&krige, 1, 0.1);
    krige_at(&krige, 0, &mean, &near);
    EXPECT(mean > 0.07 && mean < 0.1); /* a little of it may be noise */
    krige_at(&krige, 15, &mean, &far);
    EXPECT(mean > 0 && mean < 0.1);
    EXPECT(near < far);
}

static void a_common_error_is_believed_everywhere(void)
{
    static struct krige krige;
    double mean = 0, deviation = 0;
    make(&krige, 8, -0.2);
    krige_at(&krige, 15, &mean, &deviation);
    EXPECT(fabs(mean + 0.2) < 0.02);
    EXPECT(deviation < 0.05);
}

static void improvement_is_what_the_integral_says(void)
{
    static const struct {
        double best, mean, deviation, wanted;
    } rows[] = {
        {1, 0, 0, 1}, {0, 1, 0, 0}, {0, 0, 1, 0.398942}, {0, 1, 1, 0.083315}, {1, 0, 1, 1.083315},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        double improvement = krige_improvement(rows[i].best, rows[i].mean, rows[i].deviation);
        EXPECT(fabs(improvement - rows[i].wanted) < 1e-6);
    }
}

TEST_MAIN(knows_nothing_without_points, is_surer_near_points_than_far_from_them,
          a_common_error_is_believed_everywhere, improvement_is_what_the_integral_says)

/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/collector/program.h"

int main(int argc, char **argv)
{
    return service_main(&collector_service, argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/aggregator/program.h"

int main(int argc, char **argv)
{
    return service_main(&aggregator_service, argc, argv);
}
